#include "store/local/trash.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <system_error>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/fd.h"
#include "store/local/local_store.h"

namespace flox::store {
namespace {

constexpr uint64_t block = 512;  // bytes: the unit of st_blocks
// A file with two names has the second one in .links, which goes at the end of the collection.
constexpr nlink_t last_links = 2;
constexpr size_t most_threads = 16;
constexpr int64_t window = 20'000'000;  // nanoseconds: how often it is decided whether to have more

// Nanoseconds of one of the system's clocks.
int64_t read_clock(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Deletes a file or tree whatever the modes of its directories, never following a symlink; missing is fine.
class TreeDeletion {
 public:
  // `hand_over` may take a directory away before it is deleted: then it gives true.
  explicit TreeDeletion(std::function<bool(int parent, const char* name)> hand_over)
      : hand_over_(std::move(hand_over)) {}

  // The entry NAME of the directory `parent`.
  void remove(int parent, const char* name, unsigned char type) {
    if (type != DT_DIR) {
      struct stat status {};
      if (::fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return check(errno, name);
      if (S_ISDIR(status.st_mode)) return remove(parent, name, DT_DIR);
      if (::unlinkat(parent, name, 0) != 0) return check(errno, name);
      if (status.st_nlink <= last_links) freed_ += static_cast<uint64_t>(status.st_blocks) * block;
      return;
    }
    if (parent == AT_FDCWD || !hand_over_(parent, name)) remove_directory(parent, name);
  }
  // Bytes on the disk.
  uint64_t freed() const noexcept { return freed_; }

 private:
  void remove_directory(int parent, const char* name) {
    // Directories of a store are 0555; root does not care, other users need them writable first.
    [[maybe_unused]] const int unlocked = ::geteuid() != 0 ? ::fchmodat(parent, name, 0700, 0) : 0;
    const int fd = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return check(errno, name);
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), &::closedir);
    if (!stream) fail_errno(errno, "reading {}", name);
    struct stat status {};
    if (::fstat(fd, &status) == 0) freed_ += static_cast<uint64_t>(status.st_blocks) * block;
    // Entries go while they are read; a file system that loses its place over that is read again.
    for (int attempt = 0;; ++attempt) {
      while (const dirent* entry = ::readdir(stream.get()))
        if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
          remove(fd, entry->d_name, entry->d_type);
      if (::unlinkat(parent, name, AT_REMOVEDIR) == 0) return;
      if (errno != ENOTEMPTY || attempt == 3) return check(errno, name);
      ::rewinddir(stream.get());
    }
  }

  static void check(int error, const char* name) {
    if (error != ENOENT) fail_errno(error, "deleting {}", name);
  }

  std::function<bool(int, const char*)> hand_over_;
  uint64_t freed_ = 0;
};

}  // namespace

Trash::Trash(const LocalStore& store, unsigned workers)
    : directory_(store.trash_directory()), prefix_(fmt::format("{}-", ::getpid())), workers_(workers) {
  fs::create_directories(directory_);  // on a mount of its own, Nix's collector would remove it
  for (const auto& left : fs::directory_iterator(directory_)) queue_.push_back(left.path());
  const std::lock_guard lock(mutex_);
  begin_window();
  for (unsigned i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
}

Trash::~Trash() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  more_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Trash::take(const fs::path& path) {
  fs::path to = fresh_name();
  // A directory of which one is not the owner's superuser can be moved only while it is writable.
  if (::geteuid() != 0 && fs::is_directory(fs::symlink_status(path))) ::chmod(path.c_str(), 0700);
  if (::rename(path.c_str(), to.c_str()) != 0) {
    if (errno == ENOENT) return true;
    log::warning("removing {}: {}", path.string(), std::strerror(errno));
    return false;
  }
  enqueue(std::move(to));
  return true;
}

fs::path Trash::fresh_name() {
  fs::path name;
  do name = directory_ / (prefix_ + std::to_string(taken_++));
  while (fs::exists(fs::symlink_status(name)));  // a killed process of our id
  return name;
}

void Trash::enqueue(fs::path path) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.empty() && busy_ == 0) begin_window();
    queue_.push_back(std::move(path));
    note_idle_workers();
  }
  more_.notify_one();
}

bool Trash::hand_over(int parent, const char* name) {
  if (!has_idle_worker_) return false;
  fs::path to = fresh_name();
  [[maybe_unused]] const int unlocked =
      ::geteuid() != 0 ? ::fchmodat(parent, name, 0700, 0) : 0;  // as in take()
  if (::renameat(parent, name, AT_FDCWD, to.c_str()) != 0) return false;
  enqueue(std::move(to));
  return true;
}

void Trash::note_idle_workers() { has_idle_worker_ = queue_.size() < waiting_; }

void Trash::drain() {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return queue_.empty() && busy_ == 0; });
}

void Trash::begin_window() {
  window_start_ = read_clock(CLOCK_MONOTONIC);
  worked_before_ = read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void Trash::add_threads() {
  const int64_t took = read_clock(CLOCK_MONOTONIC) - window_start_;
  if (took < window) return;
  const int64_t worked = read_clock(CLOCK_PROCESS_CPUTIME_ID) - worked_before_;
  if (2 * worked < workers_ * took) {
    const size_t wanted = std::min(2 * threads_.size(), most_threads);
    try {
      while (threads_.size() < wanted) threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {  // the system has no more: those that there are go on
    }
  }
  begin_window();
}

void Trash::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++waiting_;
    note_idle_workers();
    more_.wait(lock, [&] { return stop_ || !queue_.empty(); });
    --waiting_;
    note_idle_workers();
    if (queue_.empty()) return;
    const fs::path path = std::move(queue_.front());
    queue_.pop_front();
    ++busy_;
    lock.unlock();
    TreeDeletion deletion([this](int parent, const char* name) { return hand_over(parent, name); });
    try {
      in_context("deleting " + path.string(), [&] { deletion.remove(AT_FDCWD, path.c_str(), DT_UNKNOWN); });
    } catch (const std::exception& error) {
      ++failures_;
      log::warning("{}", message_of(error));
    }
    bytes_freed_ += deletion.freed();
    lock.lock();
    --busy_;
    if (!queue_.empty() && !stop_) add_threads();
    if (queue_.empty() && busy_ == 0) done_.notify_all();
  }
}

}  // namespace flox::store
