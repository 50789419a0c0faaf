#include "trust/own_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/error.h"

namespace flox::trust {
namespace {

namespace fs = std::filesystem;

void require_own(const struct stat& status, const std::string& path) {
  if (status.st_uid != ::geteuid() && status.st_uid != 0)
    throw Error(ErrorKind::untrusted, fmt::format("{} belongs to user {}", path, status.st_uid),
                fmt::format("Examine what it says, then run 'chown {} {}'.", ::geteuid(), path));
  if ((status.st_mode & 022) != 0)
    throw Error(
        ErrorKind::untrusted,
        fmt::format("others than its owner may write to {} (mode {:04o})", path, status.st_mode & 07777),
        fmt::format("Examine what it says, then run 'chmod go-w {}'.", path));
}

std::string path_of(const Directory& directory, std::string_view name) {
  return fmt::format("{}/{}", directory.name(), name);
}

}  // namespace

std::optional<Directory> own_directory(const fs::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    fail_errno(errno, "examining {}", path.string());
  }
  require_own(status, path.string());
  return Directory(path);
}

std::optional<Directory> own_subdirectory(const Directory& directory, std::string_view name) {
  const auto status = directory.status(name);
  if (!status) return std::nullopt;
  require_own(*status, path_of(directory, name));
  return Directory(directory.open(name, O_RDONLY | O_DIRECTORY), path_of(directory, name));
}

std::optional<std::string> read_own_file(const Directory& directory, std::string_view name, size_t limit) {
  const auto status = directory.status(name);
  if (!status) return std::nullopt;
  require_own(*status, path_of(directory, name));
  return directory.read_file(name, limit);
}

std::optional<std::string> read_note(const Directory& directory, std::string_view path) {
  const auto status = directory.status(path);
  if (!status) return std::nullopt;
  if (!S_ISLNK(status->st_mode) || (status->st_uid != ::geteuid() && status->st_uid != 0))
    throw Error(ErrorKind::untrusted,
                fmt::format("{} is not a link of this user's", path_of(directory, path)),
                "Remove it, if you know who made it.");
  return directory.read_link(path);
}

void write_note(const Directory& directory, std::string_view path, std::string_view text) {
  const std::string temporary = fmt::format("{}~new", path.substr(0, path.rfind('/') + 1));
  directory.remove(temporary);  // of a writer that was killed; no name of anything has a "~"
  directory.make_link(temporary, text);
  directory.rename(temporary, directory, path);
}

Directory make_own_directory(const fs::path& path, unsigned mode) {
  std::vector<fs::path> missing;
  for (fs::path at = path; !at.empty() && !fs::exists(fs::symlink_status(at)); at = at.parent_path())
    missing.push_back(at);
  for (auto at = missing.rbegin(); at != missing.rend(); ++at)
    if (::mkdir(at->c_str(), mode) != 0 && errno != EEXIST) fail_errno(errno, "making {}", at->string());
  return own_directory(path).value();
}

}  // namespace flox::trust
