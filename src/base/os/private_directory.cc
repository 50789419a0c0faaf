#include "base/os/private_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/os/kept_directory.h"

namespace flox {

namespace fs = std::filesystem;

namespace {

// Absolute, as the XDG base directory specification wants it; empty otherwise.
fs::path directory_in(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value == '/' ? fs::path(value) : fs::path();
}

}  // namespace

std::optional<std::string> why_not_own(const fs::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return path.string() + " cannot be examined";
  if (S_ISLNK(status.st_mode)) return path.string() + " is a link";
  if (status.st_uid != ::geteuid()) return path.string() + " belongs to another user";
  if ((status.st_mode & S_IWOTH) != 0) return path.string() + " can be written to by everybody";
  return std::nullopt;
}

void need_private_directory(const fs::path& path) {
  in_context("making a directory for this user alone", [&] {
    std::error_code error;
    fs::create_directories(directory_of(path), error);
    if (error) fail_errno(error.value(), "making {}", directory_of(path).string());
    const bool is_new = ::mkdir(path.c_str(), 0700) == 0;
    if (!is_new && errno != EEXIST) fail_errno(errno, "making {}", path.string());
    // Whatever is examined is what the descriptor stands for; only its owner could put another thing there.
    const Fd fd = open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) fail_errno(errno, "examining {}", path.string());
    if (status.st_uid != ::geteuid()) fail(ErrorKind::untrusted, "{} belongs to another user", path.string());
    if ((status.st_mode & 022) != 0)
      fail(ErrorKind::untrusted, "{} can be written to by others", path.string());
    if (!is_new && ::faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
      fail_errno(errno, "writing to {}", path.string());
  });
}

std::optional<fs::path> private_directory(const fs::path& path) {
  try {
    need_private_directory(path);
    return path;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<fs::path> user_directory(const char* variable, std::string_view in_home) {
  if (const fs::path base = directory_in(variable); !base.empty()) return base / "flox";
  if (const fs::path home = directory_in("HOME"); !home.empty()) return home / in_home / "flox";
  return std::nullopt;
}

fs::path user_cache_directory(std::string_view name) {
  const fs::path home = directory_in("HOME");
  for (const fs::path& base : {directory_in("XDG_CACHE_HOME"), home.empty() ? home : home / ".cache"})
    if (!base.empty())
      if (auto found = private_directory(base / "flox" / name)) return *found;
  if (auto own = private_directory(fs::temp_directory_path() / ("flox-" + std::to_string(::geteuid()))))
    if (auto found = private_directory(*own / name)) return *found;
  return make_kept_directory("flox-" + std::string(name) + "-");
}

}  // namespace flox
