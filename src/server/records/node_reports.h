// Which environments run on which nodes, as the nodes say themselves: each report replaces what the node said
// before, and counts for a limited time.
//
// A node is known by its name below whoever runs it: the owner of the token that it reports with. While a
// report counts, no other token can replace it, so a token that was stolen from one node says nothing for the
// others that have tokens of their own; and what a token has said goes with it when it is revoked or expires.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/database/database.h"

namespace flox::server {

struct ReportedEnvironment {
  std::string owner, name;
  int64_t generation = 0;
  int64_t containers = 0;  // that run it
  auto operator<=>(const ReportedEnvironment&) const = default;
};

struct NodeReport {
  std::string reporter;  // the owner that runs the node
  std::string node;
  std::string token;       // the id of the one that it was brought with
  int64_t heard_at = 0;    // seconds since 1970, UTC
  int64_t expires_at = 0;  // the same
  std::vector<ReportedEnvironment> environments;
};

// What one report says of an environment.
struct SeenOnNode {
  std::string reporter, node;
  int64_t generation = 0;
  int64_t containers = 0;
  int64_t heard_at = 0, expires_at = 0;
};

// Of one owner's nodes: what a stolen token can fill the database with.
struct NodeReportLimits {
  int64_t nodes = 5'000;
  int64_t environments = 50'000;  // of all its nodes
};

// Thread-safe.
class NodeReports {
 public:
  // The database (records/database.h) must outlive it.
  explicit NodeReports(Database& database, NodeReportLimits limits = {})
      : database_(database), limits_(limits) {}

  // False if the node had said the same, and only says that it still is so. Throws Error(conflict) while
  // another token's report of the node counts, and for more than the limits.
  bool put(const NodeReport& report);

  // Which nodes run an environment at that time.
  struct Query {
    std::string owner, name;
    int64_t now = 0;
    std::optional<std::set<std::string>> reporters = {};  // only their nodes; nothing: everybody's
  };
  // By reporter, node and generation, at most `most`; those after that one.
  std::vector<SeenOnNode> find(const Query& query, size_t most,
                               const std::optional<SeenOnNode>& after = {}) const;
  // How many nodes that are.
  int64_t count(const Query& query) const;

 private:
  Database& database_;
  NodeReportLimits limits_;
};

}  // namespace flox::server
