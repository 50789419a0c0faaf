#include "env/environment_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "env/lockfile.h"
#include "env/origin.h"

namespace flox::env {
namespace {

namespace fs = std::filesystem;

constexpr size_t max_manifest = 4 << 20;  // bytes
constexpr const char* manifest_file = "manifest.toml";
constexpr const char* lock_file = "manifest.lock";
constexpr const char* origin_file = "origin.json";
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

// What is written, by name, in the order in which single files are.
std::vector<std::pair<const char*, const std::string*>> written(const EnvironmentFiles& after) {
  std::vector<std::pair<const char*, const std::string*>> files = {{lock_file, &after.lock.value()},
                                                                   {manifest_file, &after.manifest}};
  if (after.origin) files.emplace_back(origin_file, &*after.origin);
  return files;
}

// A directory with the new files and, by another name, everything else that the old one has. Nothing if that
// cannot be had.
std::optional<Directory> stage(const Directory& files, const Directory& env, const EnvironmentFiles& after) {
  files.remove(staged_directory);
  struct stat status {};
  if (::fstat(env.fd(), &status) != 0) fail_errno(errno, "examining {}", env.name());
  Directory staged = files.make_directory(staged_directory, 0700);
  const auto contents = written(after);
  for (const std::string& name : env.names(1000)) {
    if (std::ranges::any_of(contents, [&](const auto& file) { return name == file.first; })) continue;
    if (::linkat(env.fd(), name.c_str(), staged.fd(), name.c_str(), 0) != 0) return std::nullopt;
  }
  for (const auto& [name, content] : contents) {
    staged.create_file(name, *content, mode_of(env, name));
    sync(staged, name);
  }
  if (::fchmod(staged.fd(), status.st_mode & 07777U) != 0)
    fail_errno(errno, "setting the mode of {}", staged.name());
  if (::fsync(staged.fd()) != 0) fail_errno(errno, "writing {}", staged.name());
  return staged;
}

bool exchange(const Directory& files) {
  return ::renameat2(files.fd(), staged_directory, files.fd(), "env", RENAME_EXCHANGE) == 0;
}

// After the new files are in force: they go into the old directory, too, which comes back, so that shells and
// editors in it do not sit in a directory that is gone. A failure changes nothing that can be seen.
void bring_back_directory(const Directory& files, const Directory& env, const EnvironmentFiles& after) {
  try {
    for (const auto& [name, content] : written(after)) env.write_file(name, *content, mode_of(env, name));
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
  const fs::path origin_path = dir / ".flox/env" / origin_file;
  constexpr int attempts = 100;  // each that fails has seen somebody write both files in the meantime
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const std::optional<ReadFile> manifest = read_if_there(manifest_path, max_manifest);
    std::optional<ReadFile> lock = read_if_there(lock_path, Lockfile::file_limits.bytes);
    std::optional<ReadFile> origin = read_if_there(origin_path, Origin::max_bytes);
    if (!is_still(manifest_path, manifest) || !is_still(lock_path, lock) || !is_still(origin_path, origin))
      continue;
    if (!manifest) {
      read_bounded(manifest_path, max_manifest);  // says that it is missing, unless somebody has just made it
      continue;
    }
    EnvironmentFiles files{.manifest = manifest->content, .lock = {}, .origin = {}};
    if (lock) files.lock = std::move(lock->content);
    if (origin) files.origin = std::move(origin->content);
    return files;
  }
  fail(ErrorKind::unavailable, "reading the environment in {}: its files change all the time", dir.string());
}

std::string read_environment_file(const fs::path& path, size_t limit) {
  return read_bounded(path, limit).content;
}

void replace_environment_files(const Directory& files, const EnvironmentFiles& after) {
  const Directory env = files.subdirectory("env");
  try {
    if (stage(files, env, after) && exchange(files)) return bring_back_directory(files, env, after);
  } catch (const Error&) {
    files.remove(staged_directory);
    throw;
  }
  files.remove(staged_directory);
  for (const auto& [name, content] : written(after)) env.write_file(name, *content, mode_of(env, name));
}

void replace_origin(const Directory& files, const std::string& origin) {
  const Directory env = files.subdirectory("env");
  env.write_file(origin_file, origin, mode_of(env, origin_file));
}

}  // namespace flox::env
