#include "base/os/private_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/os/fd.h"
#include "base/os/file.h"

namespace flox {
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

std::optional<fs::path> private_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(directory_of(path), error);
  const bool is_new = ::mkdir(path.c_str(), 0700) == 0;
  // Whatever is examined is what the descriptor stands for; only its owner could put another thing there.
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return std::nullopt;
  if (status.st_uid != ::geteuid() || (status.st_mode & 022) != 0) return std::nullopt;
  if (!is_new && ::faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) != 0) return std::nullopt;
  return path;
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
  return TempDir("flox-" + std::string(name) + "-").release();
}

}  // namespace flox
