// Garbage collection of the catalog's binary cache: store paths that nothing recorded needs, their NARs and
// indexes.
//
// A path is needed if a root is it or refers to it, over any number of paths. Roots are what is recorded
// (records/needed_paths.h), and every path whose narinfo is younger than CacheLimits::orphan_age: somebody
// may be about to publish it. That nothing goes which is published meanwhile is records/removal_marks.h's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "server/files/cache_files.h"

namespace flox::server {

struct Collected {
  uint64_t paths = 0;  // removed; of a dry run: that would be
  uint64_t nars = 0;
  uint64_t bytes = 0;       // of both
  uint64_t kept_paths = 0;  // that are needed
  uint64_t kept_young = 0;  // that are not, but too young to go
};

class Collector {
 public:
  using Take = std::function<void(std::string_view digest)>;
  // Gives the digests of all that is recorded, to be called more than once.
  using Roots = std::function<void(const Take& take)>;
  // Is told the name of each file that was removed, after what is said of it was forgotten.
  using Removed = std::function<void(const std::string& name)>;

  // The references must outlive it.
  Collector(
      CacheFiles& cache, Roots roots, Removed removed = [](const std::string&) {})
      : cache_(cache), roots_(std::move(roots)), removed_(std::move(removed)) {}

  // What came after `before` is left. What a run that was killed has left, the next one makes good. Throws
  // Error(unavailable) if somebody publishes all the time.
  Collected run(bool is_dry, Clock::time_point before, Clock::time_point now = Clock::now());

 private:
  struct Path {
    std::vector<std::string> references;  // digests
    std::string nar;                      // empty: its narinfo is damaged
    std::string index;                    // of the NAR's file; empty: none
    uint64_t size = 0;                    // of the narinfo
    bool is_young = false;
    bool is_needed = false;
  };
  void end_interrupted();
  void read_new(std::vector<std::string>* found);
  void mark_needed(std::vector<std::string> open);
  std::vector<std::string> unneeded() const;
  void keep_what_came();
  void remove(const std::vector<std::string>& digests, Collected& collected);
  // A NAR or an index, of which its bytes are counted. False if somebody uses it now, or it was gone.
  bool remove_file(const std::string& name, Collected& collected);

  CacheFiles& cache_;
  Roots roots_;
  Removed removed_;
  Clock::time_point before_, now_;                   // of this run
  std::map<std::string, Path, std::less<>> paths_;   // by digest
  std::map<std::string, size_t, std::less<>> nars_;  // and indexes: how many narinfos name each
};

}  // namespace flox::server
