// Gets what is written to the disk while more is being written. Left to itself the kernel begins when a tenth
// of the memory is dirty, which a realisation rarely reaches: then all of the disk's work would come after
// all of the processors'.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/os/fd.h"

namespace flox::store {

class WriteBehind {
 public:
  // For the file system that holds `directory`. Throws Error.
  explicit WriteBehind(const std::filesystem::path& directory);
  ~WriteBehind();
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;

  // So many bytes have been written. Thread-safe; returns at once.
  void add(uint64_t bytes);
  // Begins with what there is. Thread-safe; returns at once.
  void begin();
  // Throws Error if the disk has refused anything since the beginning. What was written last may not be there
  // yet.
  void check();

 private:
  void run();

  Fd fd_;  // open from the beginning: it is told of errors from then on
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t written_ = 0;
  int error_ = 0;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace flox::store
