#include "store/cache/file_cache.h"

#include <fcntl.h>

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
  OpenFile(Fd fd, std::string context) : fd_(std::move(fd)), context_(std::move(context)) {}
  bool read(std::string& piece) override {
    return in_context(context_, [&] {
      piece.resize(piece_size);
      piece.resize(read_some(fd_.get(), piece.data(), piece.size()));
      return !piece.empty();
    });
  }
  bool is_there() const override { return true; }

 private:
  Fd fd_;
  std::string context_;
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
    fs::rename(temporary.path() / "file", target);
  });
}

}  // namespace flox::store
