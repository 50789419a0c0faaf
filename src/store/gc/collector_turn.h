// The right to collect garbage, and the conversation with those who use the store meanwhile
// (docs/formats/store-locks.md): gc.lock, held exclusively, and gc-socket/socket, where others announce the
// paths that they are about to use.
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

// Held until the object goes. One collector works on a store at a time, ours or Nix's.
class CollectorTurn {
 public:
  // Waits for another collector, and for those who hold the lock for an instant. Throws Error.
  explicit CollectorTurn(const LocalStore& store);
  ~CollectorTurn();
  CollectorTurn(const CollectorTurn&) = delete;
  CollectorTurn& operator=(const CollectorTurn&) = delete;

  // While the lock is held nobody is answered: whoever gets an answer later finds what was done meanwhile.
  std::unique_lock<std::mutex> hold() { return std::unique_lock(mutex_); }
  // With `hold`: whether a path with this digest was announced.
  bool is_announced(std::string_view digest) const { return announced_.contains(digest); }
  // With `hold`: the digests that were announced since the last call.
  std::vector<std::string> take_news() { return std::exchange(news_, {}); }
  // Returns once nobody has announced anything for a moment, but after `limit` at the latest: somebody who
  // announces a closure path by path is not to meet a batch of deletions before each.
  void let_others_talk(std::chrono::milliseconds limit);

 private:
  class Listener;
  void announce(std::string_view line);

  Fd lock_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> announced_;
  std::vector<std::string> news_;
  std::chrono::steady_clock::time_point last_announcement_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace flox::store
