#include "ticket/local/local_objects.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/http_client.h"
#include "base/sha256.h"

namespace ticket::local {

namespace fs = std::filesystem;
using flox::ErrorKind;

namespace {

constexpr std::string_view unfinished = ".writing-";

fs::path bucket_directory(const fs::path& root, const std::string& bucket) {
  if (bucket.empty() || bucket.front() == '.' || bucket.find('/') != std::string::npos)
    flox::fail(ErrorKind::invalid_input, "'{}' is not the name of a bucket", bucket);
  return root / bucket;
}

// A file that is being written; gone, unless it got its name, when the object goes.
class Unfinished {
 public:
  explicit Unfinished(const fs::path& directory) {
    static std::atomic<unsigned> count = 0;
    path_ = directory / fmt::format("{}{}-{}", unfinished, getpid(), ++count);
    fd_ = flox::open_file(path_, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  }
  ~Unfinished() { ::unlink(path_.c_str()); }
  void write(const std::string& content) {
    flox::write_all(fd_.get(), content);
    if (fsync(fd_.get()) != 0) flox::fail_errno(errno, "writing {} to the disk", path_.string());
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  flox::Fd fd_;
};

void sync_directory(const fs::path& directory) {
  flox::Fd fd = flox::open_file(directory, O_RDONLY | O_DIRECTORY);
  if (fsync(fd.get()) != 0) flox::fail_errno(errno, "writing {} to the disk", directory.string());
}

}  // namespace

std::string file_name(const std::string& key) {
  std::string name = flox::url_encode(key);
  if (name.starts_with('.')) name.replace(0, 1, "%2E");
  if (name.size() <= 200) return name;
  return name.substr(0, 100) + "~" + flox::to_hex(flox::bytes_of(flox::sha256(key)));
}

void create_bucket(const fs::path& root, const std::string& bucket) {
  fs::path directory = bucket_directory(root, bucket);
  fs::create_directories(directory);
  auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (const auto& entry : fs::directory_iterator(directory)) {
    std::error_code gone;  // by another process
    if (entry.path().filename().string().starts_with(unfinished) && entry.last_write_time(gone) < old &&
        !gone)
      fs::remove(entry.path(), gone);
  }
}

void LocalObjects::check_bucket(const std::string& bucket) {
  if (!fs::is_directory(bucket_directory(root_, bucket)))
    throw flox::Error(ErrorKind::not_found,
                      fmt::format("there is no bucket {} in {}", bucket, root_.string()),
                      "ticket-generator --backend … --create-resources makes it.");
}

std::optional<std::string> LocalObjects::get(const std::string& bucket, const std::string& key,
                                             size_t limit) {
  fs::path path = bucket_directory(root_, bucket) / file_name(key);
  flox::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    if (errno != ENOENT) flox::fail_errno(errno, "reading {}", path.string());
    check_bucket(bucket);
    return std::nullopt;
  }
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) flox::fail_errno(errno, "reading {}", path.string());
  if (static_cast<size_t>(status.st_size) > limit)
    flox::fail(ErrorKind::invalid_input, "reading {}: it has more than {} bytes", path.string(), limit);
  return flox::read_all(fd.get());
}

bool LocalObjects::write(const std::string& bucket, const std::string& key, const std::string& content,
                         bool replace) {
  check_bucket(bucket);
  fs::path directory = bucket_directory(root_, bucket);
  fs::path path = directory / file_name(key);
  Unfinished file(directory);
  file.write(content);
  if (replace) {
    fs::rename(file.path(), path);
  } else if (::link(file.path().c_str(), path.c_str()) != 0) {  // fails, unlike rename, if one is there
    if (errno == EEXIST) return false;
    flox::fail_errno(errno, "making {}", path.string());
  }
  sync_directory(directory);
  return true;
}

void LocalObjects::put(const std::string& bucket, const std::string& key, const std::string& content) {
  write(bucket, key, content, true);
}

bool LocalObjects::put_if_absent(const std::string& bucket, const std::string& key,
                                 const std::string& content) {
  return write(bucket, key, content, false);
}

}  // namespace ticket::local
