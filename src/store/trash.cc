#include "store/trash.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "store/local_store.h"

namespace flox::store {
namespace {

constexpr uint64_t block = 512;  // bytes: the unit of st_blocks
// A file with two names has the second one in .links, which goes at the end of the collection.
constexpr nlink_t last_links = 2;

class TreeDeletion {
 public:
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
    remove_directory(parent, name);
  }
  uint64_t freed() const noexcept { return freed_; }

 private:
  void remove_directory(int parent, const char* name) {
    // Directories of a store are 0555; root does not care, other users need them writable first.
    if (::geteuid() != 0) ::fchmodat(parent, name, 0700, 0);
    const int fd = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return check(errno, name);
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), &::closedir);
    if (!stream) fail_errno(errno, "reading {}", name);
    struct stat status {};
    if (::fstat(fd, &status) == 0) freed_ += static_cast<uint64_t>(status.st_blocks) * block;
    // Entries go while they are read; a file system that loses its place over that is read again.
    for (int round = 0;; ++round) {
      while (const dirent* entry = ::readdir(stream.get()))
        if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
          remove(fd, entry->d_name, entry->d_type);
      if (::unlinkat(parent, name, AT_REMOVEDIR) == 0) return;
      if (errno != ENOTEMPTY || round == 3) return check(errno, name);
      ::rewinddir(stream.get());
    }
  }

  static void check(int error, const char* name) {
    if (error != ENOENT) fail_errno(error, "deleting {}", name);
  }

  uint64_t freed_ = 0;
};

}  // namespace

uint64_t delete_tree(const fs::path& path) {
  TreeDeletion deletion;
  in_context(fmt::format("deleting {}", path.string()),
             [&] { deletion.remove(AT_FDCWD, path.c_str(), DT_UNKNOWN); });
  return deletion.freed();
}

Trash::Trash(const LocalStore& store, unsigned workers)
    : directory_(store.trash_directory()), prefix_(fmt::format("{}-", ::getpid())) {
  fs::create_directories(directory_);  // on a mount of its own a collector of Nix's takes it for litter
  for (const auto& left : fs::directory_iterator(directory_)) queue_.push_back(left.path());
  for (unsigned i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
}

Trash::~Trash() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Trash::take(const fs::path& path) {
  fs::path to;
  do to = directory_ / (prefix_ + std::to_string(taken_++));
  while (fs::exists(fs::symlink_status(to)));  // a killed process of our id
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

void Trash::enqueue(fs::path path) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(path));
  }
  changed_.notify_all();
}

void Trash::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return queue_.empty() && busy_ == 0; });
}

void Trash::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stop_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const fs::path path = std::move(queue_.front());
    queue_.pop_front();
    ++busy_;
    lock.unlock();
    try {
      bytes_freed_ += delete_tree(path);
    } catch (const std::exception& error) {
      ++failures_;
      log::warning("{}", error.what());
    }
    lock.lock();
    --busy_;
    changed_.notify_all();
  }
}

}  // namespace flox::store
