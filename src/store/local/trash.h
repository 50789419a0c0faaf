// Where trees go that are no part of the store any more: moved away by one rename, so that their names are
// free at once, and deleted by threads of its own, several of them in one tree where it is the last.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace flox::store {

class LocalStore;

// What a killed process left in the directory is deleted by the next one.
class Trash {
 public:
  // `workers` threads delete. While the process keeps less than half of so many cores busy, because they wait
  // for the disk (one that discards each file's blocks at once, say), there are more and more, 16 at most.
  Trash(const LocalStore& store, unsigned workers);
  // Deletes what is left first.
  ~Trash();
  Trash(const Trash&) = delete;
  Trash& operator=(const Trash&) = delete;

  // Takes a file or tree; it need not exist. False if it cannot be moved, which is logged.
  bool take(const std::filesystem::path& path);
  // Waits until all that was taken is deleted.
  void drain();
  // Bytes on the disk that have been given back so far: files that other paths share do not count.
  uint64_t bytes_freed() const noexcept { return bytes_freed_; }
  // Trees that could not be deleted; the reasons are logged, and the next collection tries again.
  uint64_t failures() const noexcept { return failures_; }

 private:
  void work();
  void enqueue(std::filesystem::path path);
  std::filesystem::path fresh_name();
  // Moves a directory out of the tree that it is being deleted with, if another thread has nothing to do.
  bool hand_over(int parent, const char* name);
  void note_hunger();
  // With the mutex held:
  void begin_window();
  void add_threads();  // if those that there are mostly wait

  std::filesystem::path directory_;
  std::string prefix_;  // no other process's names begin so
  std::atomic<uint64_t> taken_ = 0;
  std::atomic<bool> hungry_ = false;  // a thread waits for something to delete
  std::mutex mutex_;
  std::condition_variable more_;  // something is in the queue, or it is time to stop
  std::condition_variable done_;  // nothing is left
  std::deque<std::filesystem::path> queue_;
  size_t busy_ = 0;
  size_t waiting_ = 0;
  bool stop_ = false;
  int64_t workers_;
  int64_t window_start_ = 0;   // nanoseconds of CLOCK_MONOTONIC
  int64_t worked_before_ = 0;  // the process's CPU time then, nanoseconds
  std::atomic<uint64_t> bytes_freed_ = 0;
  std::atomic<uint64_t> failures_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace flox::store
