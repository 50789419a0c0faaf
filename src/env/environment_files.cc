#include "env/environment_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/error.h"
#include "base/log.h"
#include "env/lockfile.h"

namespace flox::env {
namespace {

namespace fs = std::filesystem;

constexpr size_t max_manifest = 4 << 20;  // bytes
constexpr const char* manifest_file = "manifest.toml";
constexpr const char* lock_file = "manifest.lock";
constexpr const char* staged_directory =
    "env.new";  // beside .flox/env; what a stopped command left there goes

// A file, and which one it was.
struct ReadFile {
  std::string content;
  struct stat status {};
};

// A file of an environment, which may have come with somebody's repository: no device, no end of it.
ReadFile read_bounded(const fs::path& path, size_t limit) {
  return in_context("reading " + path.string(), [&] {
    ReadFile file;
    const Fd fd = open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (::fstat(fd.get(), &file.status) != 0) fail_errno(errno, "examining it");
    if (!S_ISREG(file.status.st_mode)) fail(ErrorKind::invalid_input, "it is not a regular file");
    std::string piece(64 << 10, '\0');
    while (const size_t count = read_some(fd.get(), piece.data(), piece.size())) {
      file.content.append(piece, 0, count);
      if (file.content.size() > limit) fail(ErrorKind::invalid_input, "it has more than {} bytes", limit);
    }
    return file;
  });
}

std::optional<ReadFile> read_if_there(const fs::path& path, size_t limit) {
  try {
    return read_bounded(path, limit);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) return std::nullopt;
    throw;
  }
}

bool is_still(const fs::path& path, const std::optional<ReadFile>& file) {
  struct stat now {};
  if (::stat(path.c_str(), &now) != 0) return !file && errno == ENOENT;
  return file && now.st_dev == file->status.st_dev && now.st_ino == file->status.st_ino &&
         now.st_size == file->status.st_size && now.st_mtim.tv_sec == file->status.st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == file->status.st_mtim.tv_nsec;
}

void sync(const Directory& directory, std::string_view name) {
  const Fd fd = directory.open(name, O_RDONLY);
  if (::fsync(fd.get()) != 0) fail_errno(errno, "writing {} in {}", name, directory.name());
}

unsigned mode_of(const Directory& directory, std::string_view name) {
  const auto status = directory.status(name);
  return status && S_ISREG(status->st_mode) ? status->st_mode & 07777U : 0644;
}

// A directory with the new files and, by another name, everything else that the old one has. Nothing if that
// cannot be had.
std::optional<Directory> stage(const Directory& files, const Directory& env, const std::string& manifest,
                               const std::string& lock) {
  files.remove(staged_directory);
  struct stat status {};
  if (::fstat(env.fd(), &status) != 0) fail_errno(errno, "examining {}", env.name());
  Directory staged = files.make_directory(staged_directory, 0700);
  for (const std::string& name : env.names(1000)) {
    if (name == manifest_file || name == lock_file) continue;
    if (::linkat(env.fd(), name.c_str(), staged.fd(), name.c_str(), 0) != 0) return std::nullopt;
  }
  staged.create_file(manifest_file, manifest, mode_of(env, manifest_file));
  staged.create_file(lock_file, lock, mode_of(env, lock_file));
  if (::fchmod(staged.fd(), status.st_mode & 07777U) != 0)
    fail_errno(errno, "setting the mode of {}", staged.name());
  sync(staged, manifest_file);
  sync(staged, lock_file);
  if (::fsync(staged.fd()) != 0) fail_errno(errno, "writing {}", staged.name());
  return staged;
}

bool exchange(const Directory& files) {
  return ::renameat2(files.fd(), staged_directory, files.fd(), "env", RENAME_EXCHANGE) == 0;
}

// After the new files are in force: they go into the old directory, too, which comes back, so that shells and
// editors in it do not sit in a directory that is gone. A failure changes nothing that can be seen.
void bring_back_directory(const Directory& files, const Directory& env, const std::string& manifest,
                          const std::string& lock) {
  try {
    env.write_file(manifest_file, manifest, mode_of(env, manifest_file));
    env.write_file(lock_file, lock, mode_of(env, lock_file));
    exchange(files);
    ::fsync(files.fd());
    files.remove(staged_directory);
  } catch (const Error& error) {
    log::debug("the environment is written; {} is left: {}", staged_directory, error.what());
  }
}

}  // namespace

EnvironmentFiles read_environment_files(const fs::path& dir) {
  const fs::path manifest_path = dir / ".flox/env" / manifest_file;
  const fs::path lock_path = dir / ".flox/env" / lock_file;
  constexpr int attempts = 100;  // each that fails has seen somebody write both files in the meantime
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const std::optional<ReadFile> manifest = read_if_there(manifest_path, max_manifest);
    std::optional<ReadFile> lock = read_if_there(lock_path, Lockfile::file_limits.bytes);
    if (!is_still(manifest_path, manifest) || !is_still(lock_path, lock)) continue;
    if (!manifest) {
      read_bounded(manifest_path, max_manifest);  // says that it is missing, unless somebody has just made it
      continue;
    }
    EnvironmentFiles files{.manifest = manifest->content, .lock = {}};
    if (lock) files.lock = std::move(lock->content);
    return files;
  }
  fail(ErrorKind::unavailable, "reading the environment in {}: its files change all the time", dir.string());
}

std::string read_environment_file(const fs::path& path, size_t limit) {
  return read_bounded(path, limit).content;
}

void replace_environment_files(const Directory& files, const std::string& manifest, const std::string& lock) {
  const Directory env = files.subdirectory("env");
  try {
    if (stage(files, env, manifest, lock) && exchange(files))
      return bring_back_directory(files, env, manifest, lock);
  } catch (const Error&) {
    files.remove(staged_directory);
    throw;
  }
  files.remove(staged_directory);
  env.write_file(lock_file, lock, mode_of(env, lock_file));
  env.write_file(manifest_file, manifest, mode_of(env, manifest_file));
}

}  // namespace flox::env
