// Trees that are removed from the store: each is moved away by one rename, so that its name is free at once,
// and then deleted by threads, several of them in one tree if it is the last.
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

// The next process deletes what a killed one left in the directory.
class Trash {
 public:
  // `workers` threads delete. While they keep less than half of as many cores busy, because they wait for the
  // disk, threads are added, up to 16.
  Trash(const LocalStore& store, unsigned workers);
  // Deletes what is left.
  ~Trash();
  Trash(const Trash&) = delete;
  Trash& operator=(const Trash&) = delete;

  // Moves a file or tree here; it need not exist. False if it cannot be moved, which is logged.
  bool take(const std::filesystem::path& path);
  // Waits until all that was taken is deleted.
  void drain();
  // Bytes freed on the disk so far: files that other paths share do not count.
  uint64_t bytes_freed() const noexcept { return bytes_freed_; }
  // Trees that could not be deleted; the reasons are logged, and the next collection tries again.
  uint64_t failures() const noexcept { return failures_; }

 private:
  void work();
  void enqueue(std::filesystem::path path);
  std::filesystem::path fresh_name();
  // Gives a subdirectory of the tree being deleted to an idle worker, if there is one.
  bool hand_over(int parent, const char* name);
  void note_idle_workers();
  // With the mutex held:
  void begin_window();
  void add_threads();  // if the existing ones mostly wait

  std::filesystem::path directory_;
  std::string prefix_;  // no other process's names begin so
  std::atomic<uint64_t> taken_ = 0;
  std::atomic<bool> has_idle_worker_ = false;  // a thread waits for something to delete
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
