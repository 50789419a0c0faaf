// The lock and the socket of a collection (docs/formats/store-locks.md): gc.lock, held exclusively, and
// gc-socket/socket, where other processes announce the paths that they are about to use.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "nix/store_path.h"

namespace flox::store {

class LocalStore;

// Held for the lifetime of the object. One collector works on a store at a time, ours or Nix's.
class GcLock {
 public:
  // Waits for another collector, and for processes that hold the lock for an instant. Throws Error.
  explicit GcLock(const LocalStore& store);
  ~GcLock();
  GcLock(const GcLock&) = delete;
  GcLock& operator=(const GcLock&) = delete;

  // While the lock is held no announcement is answered: a client that is answered later sees the deletions.
  std::unique_lock<std::mutex> hold() { return std::unique_lock(mutex_); }
  // With `hold`: whether a path with this digest was announced.
  bool is_announced(std::string_view digest) const { return announced_.contains(digest); }
  // With `hold`: the digests that were announced since the last call.
  std::vector<std::string> take_new_announcements() { return std::exchange(new_announcements_, {}); }
  // Returns when no path was announced for 20 ms, and after `limit` at the latest: a client that announces a
  // closure path by path shall not wait for a batch of deletions before each path.
  void wait_for_announcements(std::chrono::milliseconds limit);

 private:
  class Listener;
  void announce(std::string_view line);

  Fd lock_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> announced_;
  std::vector<std::string> new_announcements_;
  std::chrono::steady_clock::time_point last_announcement_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace flox::store
