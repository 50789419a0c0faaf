// Which store paths a garbage collection is about to remove from the cache, so that none goes that is
// published at the same moment. The argument is in docs/explanation/catalog-garbage-collection.md; in short:
// who publishes reads times(), looks into the cache, and records only if nothing has been marked since; who
// collects reads publications(), looks at what is recorded, and marks only if nothing was recorded since.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "server/database/database.h"

namespace flox::server {

// Thrown in the transaction of a publication: something it needs was marked since the cache was looked at.
// Call keep(), and look again.
class LookAgain : public Error {
 public:
  LookAgain()
      : Error(ErrorKind::unavailable, "what this needs is being collected, again and again", "Try again.") {}
};

// What somebody has found in the cache for what it is about to record. Every function that records something
// that needs paths takes it: as it is by default, paths were looked for before anything was ever marked.
struct LookedFor {
  int64_t times = 0;                 // RemovalMarks::times() before that
  std::vector<std::string> digests;  // of the paths, with all that they need
};

// Thread-safe. Paths are known by their digests.
class RemovalMarks {
 public:
  using Time = std::chrono::system_clock::time_point;

  // The database (records/database.h) must outlive it.
  explicit RemovalMarks(Database& database) : database_(database) {}

  // What a publication needs: digests, and those of them that are not in the cache.
  struct Needed {
    std::vector<std::string> digests;
    std::set<std::string, std::less<>> missing{};
  };

  // For who publishes. How often paths have been marked.
  int64_t times() const;
  // In the transaction that records what needs the paths, which were looked for after `times`. Throws
  // LookAgain.
  static void require_none(Session& session, int64_t times, const std::vector<std::string>& digests);
  static void require_none(Session& session, const LookedFor& looked) {
    require_none(session, looked.times, looked.digests);
  }
  // Takes the marks off these paths, all or none: what is still there then stays. `needed` is called only if
  // anything is marked at all. What is said of a marked path that is missing is forgotten: its removal was
  // interrupted. Waits while one of them is being removed; throws Error(unavailable) if that
  // takes over five seconds.
  void keep(const std::function<Needed()>& needed);
  // For who uploads the path, in the transaction that says who may read it: takes the mark off, so that no
  // removal forgets what is said there. Throws LookAgain while it is being removed.
  static void claim(Session& session, std::string_view digest);

  // For who collects. How often something was recorded that needs paths, or that decides what may go.
  int64_t publications() const;
  // In the transaction that records it; require_none() counts by itself.
  static void count_publication(Session& session);
  // Whether nothing was recorded since, in a transaction that removes records.
  static bool is_of(Session& session, int64_t publications);
  // Marks the paths, all or none, in place of what was marked before; false if something was recorded since
  // `publications`.
  bool mark(const std::vector<std::string>& digests, int64_t publications);
  // Takes all marks off.
  void clear();
  // What is marked, also by a run that was killed.
  std::vector<std::string> marked() const;
  // For who copies the cache: how often a path was removed.
  static int64_t removals(Session& session);
  // Calls `remove` if the path is still marked, and takes the mark off; false if it is not. Who may read the
  // path's narinfo, and its attestations, are forgotten in the transaction that takes the mark off. While
  // that goes on nobody keeps the path. `remove` may be called again, and the files may be gone although this
  // throws: who keeps a path looks for its files after that. `is_shared`: the files are behind a network,
  // where a removal may be done late after this process was killed.
  bool remove(const std::string& digest, bool is_shared, Time now, const std::function<void()>& remove);

 private:
  Database& database_;
};

}  // namespace flox::server
