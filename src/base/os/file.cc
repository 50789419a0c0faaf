#include "base/os/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <mutex>

#include "base/error.h"
#include "base/os/beside.h"
#include "base/os/directory.h"
#include "base/os/kept_directory.h"
#include "base/os/opened_file.h"

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

void write(const fs::path& path, std::string_view content, unsigned mode, bool synced) {
  in_context("writing " + path.string(), [&] {
    const fs::path parent = directory_of(path);
    replace_file(Directory(open_file(parent, O_RDONLY | O_DIRECTORY), parent.string()), path.filename(),
                 content, mode, synced);
  });
}

}  // namespace

void write_file(const fs::path& path, std::string_view content, unsigned mode) {
  write(path, content, mode, false);
}

void write_file_synced(const fs::path& path, std::string_view content, unsigned mode) {
  write(path, content, mode, true);
}

namespace {

// In the names of temporary directories, so that nothing that is to stay is called so.
constexpr std::string_view temporary_mark = "tmp.";
constexpr size_t random_characters = 6;

// The temporary directories of this process are held by it: one that nobody holds is of a process that was
// killed. Never destroyed: objects may outlive it.
class DirectoryLocks {
 public:
  static DirectoryLocks& of_process() {
    static DirectoryLocks* const locks = new DirectoryLocks;
    return *locks;
  }
  void keep(const fs::path& path, Fd lock) {
    const std::lock_guard guard(mutex_);
    locks_.insert_or_assign(path, std::move(lock));
  }
  // -1 where it has none.
  int number(const fs::path& path) {
    const std::lock_guard guard(mutex_);
    const auto found = locks_.find(path);
    return found == locks_.end() ? -1 : found->second.get();
  }
  void forget(const fs::path& path) {
    const std::lock_guard guard(mutex_);
    locks_.erase(path);
  }

 private:
  std::mutex mutex_;
  std::map<fs::path, Fd> locks_;
};

Fd open_directory(const fs::path& path) {
  return Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

bool lock_directory(const Fd& fd, int how) {
  while (::flock(fd.get(), how) != 0)
    if (errno != EINTR) return false;
  return true;
}

// Holding is a read lock of the open directory (F_OFD_SETLK), which flock(2) does not know of: whoever works
// in the directory may lock that, as those do who make sockets in it.
struct flock whole(short type) {
  return {.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0};
}

void hold_directory(const Fd& fd) {
  struct flock lock = whole(F_RDLCK);
  ::fcntl(fd.get(), F_OFD_SETLK, &lock);
}

bool is_held(const Fd& fd) {
  struct flock lock = whole(F_WRLCK);
  return ::fcntl(fd.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

// Whether to look for some that were left: whoever makes thousands in a large directory would list it each
// time. It is the 1st, 2nd, 4th, 8th … time then.
bool is_time_to_look(const std::string& beginning) {
  static std::mutex mutex;
  static auto* const made = new std::map<std::string, size_t>;  // never destroyed, as the locks
  const std::lock_guard guard(mutex);
  return std::has_single_bit(++(*made)[beginning]);
}

void remove_left(const fs::path& base, const std::string& beginning) {
  if (!is_time_to_look((base / beginning).string())) return;
  const Fd directory(::open(base.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || !tells_all_locks(directory.get())) return;
  std::error_code error;
  for (fs::directory_iterator entry(base, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (!name.starts_with(beginning) || name.size() != beginning.size() + random_characters) continue;
    const Fd lock = open_directory(entry->path());
    if (!lock || !is_own(lock) || !lock_directory(lock, LOCK_EX | LOCK_NB) || is_held(lock) ||
        !has_name(lock, AT_FDCWD, entry->path().c_str()))
      continue;
    try {
      remove_tree(entry->path());
    } catch (const Error&) {  // whoever comes next tries it again
    }
  }
}

}  // namespace

TempDir::TempDir(std::string_view prefix, const fs::path& parent) {
  const fs::path base = parent.empty() ? fs::temp_directory_path() : parent;
  const std::string beginning = std::string(prefix).append(temporary_mark);
  remove_left(base, beginning);
  // Until it is held, another process may take it for one that was left. Who does has it locked by flock(2).
  constexpr int attempts = 100;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const fs::path made = make_kept_directory(beginning, base);
    Fd lock = open_directory(made);
    // Where a file system has no locks, or shows its files as another user's, it is as good without: nobody
    // removes one that is not his or that he cannot lock.
    if (lock) {
      lock_directory(lock, LOCK_EX);
      hold_directory(lock);
      lock_directory(lock, LOCK_UN);
    }
    if (!lock || !has_name(lock, AT_FDCWD, made.c_str())) {
      ::rmdir(made.c_str());
      continue;
    }
    path_ = made;
    DirectoryLocks::of_process().keep(path_, std::move(lock));
    return;
  }
  fail(ErrorKind::unavailable, "making a temporary directory below {}: those that were made did not stay",
       base.string());
}

TempDir::~TempDir() {
  if (path_.empty()) return;
  try {
    remove_tree(path_);
  } catch (const std::exception&) {  // a destructor has nobody to tell; the next one of that name removes it
  }
  DirectoryLocks::of_process().forget(path_);
}

fs::path TempDir::release() {
  DirectoryLocks::of_process().forget(path_);
  return std::exchange(path_, {});
}

int TempDir::lock_for_successor() const {
  const int number = DirectoryLocks::of_process().number(path_);
  if (number >= 0 && ::fcntl(number, F_SETFD, 0) != 0)
    fail_errno(errno, "keeping the lock of {}", path_.string());
  return number;
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
