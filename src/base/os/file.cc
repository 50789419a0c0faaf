#include "base/os/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/os/directory.h"

namespace flox {

fs::path directory_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : "."; }

std::string read_file(const fs::path& path, size_t limit) {
  return in_context("reading " + path.string(), [&] {
    const Fd fd = open_file(path, O_RDONLY);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) fail_errno(errno, "examining it");
    std::string content;
    std::array<char, 65536> piece;
    bool too_large = S_ISREG(status.st_mode) && static_cast<uint64_t>(status.st_size) > limit;
    while (!too_large) {
      const size_t count = read_some(fd.get(), piece.data(), piece.size());
      if (count == 0) return content;
      content.append(piece.data(), count);
      too_large = content.size() > limit;
    }
    fail(ErrorKind::invalid_input, "it has more than {} bytes", limit);
  });
}

namespace {

void replace_file(const fs::path& path, std::string_view content, unsigned mode, bool synced) {
  std::string temporary = path.string() + ".XXXXXX";
  Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) fail_errno(errno, "writing {}", path.string());
  try {
    write_all(fd.get(), content);
    if (::fchmod(fd.get(), mode) != 0) fail_errno(errno, "setting the mode");
    if (synced && ::fsync(fd.get()) != 0) fail_errno(errno, "bringing it to the disk");
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail_errno(errno, "renaming into place");
  } catch (const Error& error) {
    ::unlink(temporary.c_str());
    throw error.with_context("writing " + path.string());
  }
}

}  // namespace

void write_file(const fs::path& path, std::string_view content, unsigned mode) {
  replace_file(path, content, mode, false);
}

void write_file_synced(const fs::path& path, std::string_view content, unsigned mode) {
  replace_file(path, content, mode, true);
  const fs::path directory = directory_of(path);
  const Fd fd = open_file(directory, O_RDONLY | O_DIRECTORY);
  if (::fsync(fd.get()) != 0) fail_errno(errno, "bringing {} to the disk", directory.string());
}

TempDir::TempDir(std::string_view prefix, const fs::path& parent) {
  fs::path base = parent.empty() ? fs::temp_directory_path() : parent;
  std::string pattern = (base / (std::string(prefix) + "XXXXXX")).string();
  if (::mkdtemp(pattern.data()) == nullptr)
    fail_errno(errno, "making a temporary directory below {}", base.string());
  path_ = pattern;
}

TempDir::~TempDir() {
  if (path_.empty()) return;
  try {
    remove_tree(path_);
  } catch (const std::exception&) {  // a destructor has nobody to tell; the directory is named "temporary"
  }
}

void remove_tree(const fs::path& path) {
  if (!path.has_filename()) return remove_tree(path.parent_path());
  std::error_code error;
  const fs::path parent = fs::canonical(directory_of(path), error);
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) return;
  if (error) fail_errno(error.value(), "removing {}", path.string());
  // Whoever made the tree chose its depth and modes.
  in_context("removing " + path.string(), [&] { Directory(parent).remove(path.filename().native()); });
}

FileLock::FileLock(const fs::path& path, Mode mode) : fd_(open_file(path, O_RDWR | O_CREAT, 0600)) {
  while (::flock(fd_.get(), mode == Mode::exclusive ? LOCK_EX : LOCK_SH) != 0)
    if (errno != EINTR) fail_errno(errno, "locking {}", path.string());
}

}  // namespace flox
