// Rules of retention: which versions and generations may go, and what has to stay all the same.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catalog/model.h"
#include "server/database/database.h"

namespace flox::server {

// What stays: of each package the newest versions, of each environment the newest generations, so many of
// each; all that is younger than so many days; every version that a generation which stays needs. 0 versions
// or generations: all of them.
struct RetentionRule {
  int64_t versions = 0;
  int64_t generations = 0;
  int64_t days = 0;
};

struct ExpiredGeneration {
  std::string owner, name;
  int64_t number = 0;
  std::string why;  // "older than the newest 3"
};
struct ExpiredBuild : catalog::PackageBuild {
  std::string why;  // "yanked", "older than the newest 3"
};

// What may go now. Yanked versions do not count among the newest.
struct RetentionPlan {
  int64_t publications = 0;  // as of which it is (RemovalMarks::publications)
  std::vector<ExpiredGeneration> generations;
  std::vector<ExpiredBuild> builds;  // nobody has signed them
  // Listed in a name file, so that only their owner can take them out of it.
  std::vector<ExpiredBuild> signed_builds;
};

// Thread-safe.
class Retention {
 public:
  // The database (records/database.h) must outlive it.
  explicit Retention(Database& database) : database_(database) {}

  // Of the owner; of the owner "": of all that have none of their own.
  std::optional<RetentionRule> rule(const std::string& owner) const;
  // Without a rule, the one of "" is the owner's.
  void set_rule(const std::string& owner, const std::optional<RetentionRule>& rule);

  // What of this owner may go; without one: of all.
  RetentionPlan plan(const std::optional<std::string>& owner,
                     std::chrono::system_clock::time_point now = std::chrono::system_clock::now()) const;
  // Removes the plan's generations, with what is signed of them, and its builds that nobody has signed: all
  // or none. False if something was recorded since the plan was made: make another one.
  bool apply(const RetentionPlan& plan);

 private:
  Database& database_;
};

}  // namespace flox::server
