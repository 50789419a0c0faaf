#include "store/maintenance/optimise.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <unordered_set>

#include "base/error.h"
#include "base/log.h"
#include "base/os/fd.h"
#include "nix/base32.h"
#include "nix/nar.h"
#include "store/local/parallel.h"
#include "store/local/store_guard.h"
#include "store/local/work_directory.h"

namespace flox::store {
namespace {

constexpr timespec canonical_time{.tv_sec = 1, .tv_nsec = 0};

Sha256Digest hash_of_file(const fs::path& file) {
  Sha256 hash;
  nix::write_nar(file, [&](std::string_view piece) { hash.update(piece); });
  return hash.finish();
}

// Whether two files or two symlinks hold the same bytes; their NARs say so, executable or not included.
bool are_equal(const fs::path& a, const struct stat& status_a, const fs::path& b,
               const struct stat& status_b) {
  if ((status_a.st_mode & (S_IFMT | S_IXUSR)) != (status_b.st_mode & (S_IFMT | S_IXUSR)) ||
      status_a.st_size != status_b.st_size)
    return false;
  if (S_ISLNK(status_a.st_mode)) return fs::read_symlink(a) == fs::read_symlink(b);
  const Fd fd_a = open_file(a, O_RDONLY | O_NOFOLLOW);
  const Fd fd_b = open_file(b, O_RDONLY | O_NOFOLLOW);
  constexpr size_t piece = 128 * 1024;
  std::string buffer_a(piece, '\0');
  std::string buffer_b(piece, '\0');
  for (uint64_t at = 0; at < static_cast<uint64_t>(status_a.st_size);) {
    const size_t got = read_at(fd_a.get(), buffer_a.data(), piece, at);
    if (got == 0 || read_at(fd_b.get(), buffer_b.data(), got, at) != got ||
        std::memcmp(buffer_a.data(), buffer_b.data(), got) != 0)
      return false;
    at += got;
  }
  return true;
}

class Optimiser {
 public:
  explicit Optimiser(const LocalStore& store)
      : links_(store.store_directory() / ".links"), work_(store.scratch_directory()) {
    // What is linked already needs no hashing: the numbers of the files in .links.
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(links_.c_str()), &::closedir);
    if (!stream) fail_errno(errno, "reading {}", links_.string());
    while (const dirent* entry = ::readdir(stream.get())) linked_.insert(entry->d_ino);
  }

  // Every file and symlink below (or at) the path.
  void tree(const fs::path& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) fail_errno(errno, "reading {}", path.string());
    if (!S_ISDIR(status.st_mode)) return file(path, status);
    for (const auto& entry : fs::directory_iterator(path)) tree(entry.path());
  }

  OptimiseResult result() const {
    return {.files = files_, .files_linked = linked_count_, .bytes_saved = saved_, .links_mended = mended_};
  }

 private:
  void file(const fs::path& path, const struct stat& status) {
    ++files_;
    if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)) return;
    // Not as a store's files are: perhaps somebody is still writing.
    if (S_ISREG(status.st_mode) && (status.st_mode & S_IWUSR) != 0) return;
    if (is_linked(status.st_ino)) return;
    const fs::path link = links_ / nix::to_base32(bytes_of(hash_of_file(path)));
    // Again if the collector takes the link away between two of our steps.
    for (int attempt = 0; attempt < 3; ++attempt)
      if (enter(path, link, status) || replace(path, link, status)) return;
  }

  bool is_linked(ino_t number) {
    const std::lock_guard lock(mutex_);
    return linked_.contains(number);
  }
  void remember(ino_t number) {
    const std::lock_guard lock(mutex_);
    linked_.insert(number);
  }

  // The first file of its contents; false if there is one already.
  bool enter(const fs::path& path, const fs::path& link, const struct stat& status) {
    if (::link(path.c_str(), link.c_str()) == 0) {
      remember(status.st_ino);
      return true;
    }
    if (errno == EEXIST) return false;
    if (is_limit(errno)) return true;
    fail_errno(errno, "linking {} into .links", path.string());
  }

  // The file gives way to its twin; false if that is gone.
  bool replace(const fs::path& path, const fs::path& link, const struct stat& status) {
    struct stat twin {};
    if (::lstat(link.c_str(), &twin) != 0) return false;
    if (twin.st_ino == status.st_ino) return true;
    if (!are_equal(path, status, link, twin)) {
      // The hash of ours was taken just now, so the other one is damaged.
      ::unlink(link.c_str());
      ++mended_;
      return false;
    }
    const fs::path temporary = work_.path() / std::to_string(names_++);
    if (::link(link.c_str(), temporary.c_str()) != 0) {
      if (is_limit(errno)) return true;
      if (errno == ENOENT) return false;
      fail_errno(errno, "linking {}", link.string());
    }
    rename_over(temporary, path);
    ++linked_count_;
    if (status.st_nlink == 1) saved_ += static_cast<uint64_t>(status.st_blocks) * 512;
    return true;
  }

  // With the directory's mode and time as they were. (A path that is a single file lies in the store
  // directory itself, which has no canonical time.)
  void rename_over(const fs::path& temporary, const fs::path& path) {
    const fs::path parent = path.parent_path();
    const bool in_tree = parent != links_.parent_path();
    const bool unlock = in_tree && ::geteuid() != 0;
    if (unlock) ::chmod(parent.c_str(), 0755);
    const int error = ::rename(temporary.c_str(), path.c_str()) == 0 ? 0 : errno;
    if (unlock) ::chmod(parent.c_str(), 0555);
    const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, canonical_time};
    if (in_tree) ::utimensat(AT_FDCWD, parent.c_str(), times, 0);
    if (error != 0) fail_errno(error, "replacing {} by its equal", path.string());
  }

  // Too many names of one file, or a directory that takes no more.
  static bool is_limit(int error) { return error == EMLINK || error == ENOSPC; }

  fs::path links_;
  WorkDirectory work_;
  std::mutex mutex_;
  std::unordered_set<ino_t> linked_;
  std::atomic<uint64_t> names_ = 0;
  std::atomic<uint64_t> files_ = 0;
  std::atomic<uint64_t> linked_count_ = 0;
  std::atomic<uint64_t> saved_ = 0;
  std::atomic<uint64_t> mended_ = 0;
};

// A path whose files are missing is verify's business, and no reason to leave the others as they are.
void optimise_one(Optimiser& optimiser, const fs::path& path) {
  try {
    optimiser.tree(path);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    log::warning("{}: skipped", error.what());
  }
}

}  // namespace

OptimiseResult optimise(LocalStore& store, const std::function<void()>& on_path) {
  return in_context("optimising the store", [&] {
    const Writing writing;
    remove_abandoned(store.scratch_directory());
    const StorePathSet all = store.valid_paths();
    store.add_temp_roots(all);
    const std::vector<StorePath> paths(all.begin(), all.end());
    Optimiser optimiser(store);
    std::mutex mutex;
    std::atomic<size_t> next = 0;
    std::atomic<bool> stop = false;
    run_workers(
        worker_count(0),
        [&](unsigned) {
          for (size_t i; !stop && (i = next++) < paths.size();) {
            if (store.is_valid(paths[i])) optimise_one(optimiser, store.real_path(paths[i]));
            const std::lock_guard lock(mutex);
            if (on_path) on_path();
          }
        },
        [&] { stop = true; });
    return optimiser.result();
  });
}

}  // namespace flox::store
