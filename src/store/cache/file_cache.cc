#include "store/cache/file_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/os/directory.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "nix/cache_info.h"
#include "nix/cache_layout.h"
#include "store/cache/nar_url.h"

namespace flox::store {
namespace {

constexpr size_t piece_size = 256 * 1024;
constexpr int priority = 40;  // of the caches that we make

// A fifo would never end, and a link could lead anywhere.
Fd open_regular(const Directory& directory, const std::string& name) {
  Fd fd = directory.open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) fail_errno(errno, "examining {}", name);
  if (!S_ISREG(status.st_mode)) fail(ErrorKind::untrusted, "{} is not a regular file", name);
  return fd;
}

class OpenFile : public NarFile {
 public:
  // With `left`, so many bytes from where the descriptor stands.
  OpenFile(Fd fd, std::string context, std::optional<uint64_t> left = std::nullopt)
      : fd_(std::move(fd)), context_(std::move(context)), left_(left) {}
  bool read(std::string& piece) override {
    return in_context(context_, [&] {
      piece.resize(static_cast<size_t>(std::min<uint64_t>(piece_size, left_.value_or(piece_size))));
      if (piece.empty()) return false;
      piece.resize(read_some(fd_.get(), piece.data(), piece.size()));
      if (left_ && piece.empty()) fail(ErrorKind::unavailable, "the NAR file is shorter than its index says");
      if (left_) *left_ -= piece.size();
      return !piece.empty();
    });
  }
  bool is_there() const override { return true; }

 private:
  Fd fd_;
  std::string context_;
  std::optional<uint64_t> left_;
};

}  // namespace

void FileCache::ask(const std::string& name, std::function<void(CacheAnswer)> done) {
  CacheAnswer answer;
  try {
    in_context(fmt::format("cache {}", url()), [&] {
      try {
        answer.text = Directory(directory_).read_file(name, limit_of(name));
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::not_found) throw;
        if (!fs::is_directory(directory_)) fail(ErrorKind::unavailable, "there is no such directory");
      }
    });
  } catch (const Error& error) {
    answer.error = error;
  }
  done(std::move(answer));
}

std::unique_ptr<NarFile> FileCache::open_nar(const nix::NarInfo& info, size_t) {
  const std::string context = fmt::format("cache {}", url());
  return in_context(context, [&] {
    const Directory directory(directory_);
    return std::make_unique<OpenFile>(open_regular(directory, resolve_nar_path(info.url)), context);
  });
}

std::unique_ptr<NarFile> FileCache::open_part(const nix::NarInfo& info, const Part& part, size_t) {
  const std::string context = fmt::format("cache {}", url());
  return in_context(context, [&] {
    const Directory directory(directory_);
    Fd fd = open_regular(directory, resolve_nar_path(info.url));
    if (::lseek(fd.get(), static_cast<off_t>(part.first), SEEK_SET) < 0)
      fail_errno(errno, "seeking in {}", info.url);
    return std::make_unique<OpenFile>(std::move(fd), context, part.size);
  });
}

void FileCache::prepare() {
  fs::create_directories(directory_);
  // Nix asks for this file before anything else.
  if (const fs::path about = directory_ / nix::cache_info_name; !fs::exists(about))
    write_file(about, nix::CacheInfo{.want_mass_query = true, .priority = priority}.to_string());
}

void FileCache::put(std::string_view name, const fs::path& file, std::string_view) {
  in_context(fmt::format("cache {}: storing {}", url(), name), [&] {
    const fs::path target = directory_ / name;
    fs::create_directories(target.parent_path());
    const TempDir temporary("put-", directory_);
    fs::copy_file(file, temporary.path() / "file");
    fs::permissions(temporary.path() / "file", fs::perms(0644));
    // The one that is there may be on the disk already. What comes in its place must be, too, with all that
    // was stored before and that it names, else a power failure leaves neither.
    if (fs::exists(target)) {
      const Fd fd = open_file((temporary.path() / "file").string(), O_RDONLY);
      if (::syncfs(fd.get()) != 0) fail_errno(errno, "bringing it to the disk");
    }
    fs::rename(temporary.path() / "file", target);
  });
}

}  // namespace flox::store
