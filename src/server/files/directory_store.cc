#include "server/files/directory_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/os/file.h"
#include "nix/cache_layout.h"

namespace flox::server {
namespace {

void sync(int fd, const std::string& what) {
  if (::fsync(fd) != 0) fail_errno(errno, "writing {} to disk", what);
}

std::optional<ObjectStatus> status_in(const Directory& directory, std::string_view name) {
  const auto status = directory.status(name);
  if (!status || !S_ISREG(status->st_mode)) return std::nullopt;
  return ObjectStatus{.size = static_cast<uint64_t>(status->st_size),
                      .modified = Clock::from_time_t(status->st_mtime)};
}

std::string version_of(const std::string& text) { return to_hex(bytes_of(sha256(text))); }

}  // namespace

DirectoryStore::DirectoryStore(std::filesystem::path path, const std::string& spool)
    : path_(std::move(path)),
      directory_(open_or_make(path_)),
      nars_(directory_.make_directory(nix::nar_directory.substr(0, nix::nar_directory.size() - 1))),
      uploads_(directory_.make_directory(spool)) {
  if (spool != serving_spool && ::flock(uploads_.fd(), LOCK_EX | LOCK_NB) != 0)
    throw Error(ErrorKind::conflict, fmt::format("another flox-catalog uses {}", (path_ / spool).string()),
                "Wait until it has ended.");
}

void DirectoryStore::prepare(const std::string& name, const std::string& text) {
  directory_.write_file(name, text);
}

std::optional<ObjectStatus> DirectoryStore::status(const std::string& name) const {
  return status_in(directory_, name);
}

std::optional<SmallObject> DirectoryStore::read(const std::string& name, size_t most) const {
  if (!status(name)) return std::nullopt;
  SmallObject object{.text = directory_.read_file(name, most), .version = {}};
  object.version = version_of(object.text);
  return object;
}

void DirectoryStore::stream(const std::string& name, const ByteSink& sink) const {
  const Fd fd = directory_.open(name, O_RDONLY);
  std::string buffer(128 * 1024, '\0');
  while (const size_t count = read_some(fd.get(), buffer.data(), buffer.size())) sink({buffer.data(), count});
}

std::optional<ServedObject> DirectoryStore::serve(const std::string& name) const {
  const auto found = status(name);
  if (!found) return std::nullopt;
  return ServedObject{.file = path_ / name, .url = {}, .stream = {}, .size = found->size};
}

std::pair<const Directory*, std::string> DirectoryStore::place_of(const std::string& name) const {
  if (!name.starts_with(nix::nar_directory)) return {&directory_, name};
  return {&nars_, name.substr(nix::nar_directory.size())};
}

// Gives a spooled file its name: the content is on disk before the name is, and the name before we say so.
void DirectoryStore::keep(int fd, const std::string& spooled, const std::string& name) {
  const auto [directory, last] = place_of(name);
  sync(fd, name);
  uploads_.rename(spooled, *directory, last);
  sync(directory->fd(), name);
}

// The same for one that had no name.
void DirectoryStore::keep_new(int fd, const std::string& name) {
  const auto [directory, last] = place_of(name);
  sync(fd, name);
  // Somebody who was faster has put the same bytes there: such a file is named by its hash.
  if (::linkat(AT_FDCWD, fmt::format("/proc/self/fd/{}", fd).c_str(), directory->fd(), last.c_str(),
               AT_SYMLINK_FOLLOW) != 0 &&
      errno != EEXIST)
    fail_errno(errno, "giving an upload the name {} in {}", last, directory->name());
  sync(directory->fd(), name);
}

bool DirectoryStore::put(const std::string& name, const SpooledFile& file) {
  file.name.empty() ? keep_new(file.fd, name) : keep(file.fd, file.name, name);
  return true;
}

bool DirectoryStore::replace(const std::string& name, const std::string& text, const std::string& version) {
  const std::scoped_lock threads(mutex_);
  const Fd lock = directory_.open("nar", O_RDONLY | O_DIRECTORY);
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR) fail_errno(errno, "locking {}", path_.string());
  const auto known = status(name) ? version_of(directory_.read_file(name, nix::max_narinfo_size)) : "";
  if (known != version) return false;
  const std::string spooled = name + ".new";
  uploads_.remove(spooled);
  try {
    const Fd fd = uploads_.open(spooled, O_RDWR | O_CREAT | O_EXCL, 0644);
    write_all(fd.get(), text);
    keep(fd.get(), spooled, name);
  } catch (const Error&) {
    uploads_.remove(spooled);
    throw;
  }
  return true;
}

void DirectoryStore::remove(const std::string& name) { directory_.remove(name); }

void DirectoryStore::list_nars(const Listed& take) const {
  for (const auto& name : nars_.names(most_files_listed))
    if (const auto status = status_in(nars_, name)) take(std::string(nix::nar_directory) + name, *status);
}

void DirectoryStore::list_narinfos(const Listed& take) const {
  for (const auto& name : directory_.names(most_files_listed))
    if (nix::digest_of_narinfo_name(name))
      if (const auto status = status_in(directory_, name)) take(name, *status);
}

std::optional<uint64_t> DirectoryStore::size() const {
  uint64_t size = 0;
  const auto add = [&](const std::string&, const ObjectStatus& status) { size += status.size; };
  list_nars(add);
  list_narinfos(add);
  if (const auto info = status(std::string(nix::cache_info_name))) size += info->size;
  return size;
}

void DirectoryStore::check() const {
  if (!directory_.exists("nar")) fail(ErrorKind::unavailable, "{} has no directory nar", path_.string());
}

}  // namespace flox::server
