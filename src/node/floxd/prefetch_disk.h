// Has the disk follow what the prefetcher decides: records that are written or go, leases that end. On a
// thread of its own, so that nobody waits for a disk who needs the prefetcher's lock, whatever a namespace
// with a full list asks for: each start of a container takes that lock.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "node/prefetch/prefetch_record.h"

namespace flox::node {

// Thread-safe.
class PrefetchDisk {
 public:
  // What has become of one record since the disk was last told of it.
  struct Change {
    std::optional<PrefetchRecord> written;  // as it is now
    std::string removed;                    // the environment of one that has gone; empty: it has not
    std::set<std::string> ended;            // holders of leases, which end after that
  };
  // Makes the change with the record's key; must not throw. Runs without any lock of this object's.
  using Apply = std::function<void(const std::string& key, const Change&)>;

  explicit PrefetchDisk(Apply apply);
  // When all has been done.
  ~PrefetchDisk();

  // These do not wait. Later ones about a key take the place of earlier ones that have not been done.
  void write(const PrefetchRecord& record);
  // The record goes, and its leases end.
  void remove(const PrefetchRecord& record);
  void end_lease(const std::string& key, const std::string& holder);

  // Waits for all that these keys have been given so far: it is done before what other keys have been given.
  void wait_for(const std::vector<std::string>& keys);

 private:
  void work();
  Change& change_of(const std::string& key);  // under the mutex
  const Apply apply_;
  std::mutex mutex_;
  std::condition_variable given_, done_;
  std::map<std::string, Change> waiting_;  // by key
  std::deque<std::string> order_;          // their keys
  std::string under_way_;                  // key; empty: none
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace flox::node
