// What was asked to be fetched before a pod needs it, each in a file, so that a restarted floxd goes on and
// its leases have owners (docs/explanation/prefetching.md).
//
//   DIRECTORY/KEY.json   one environment of one namespace; KEY is the digest of both
#pragma once  // Not fuzzed: floxd's own files, in a directory of root's; their JSON is parse_json's.

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/directory.h"

namespace flox::node {

// What the holders of leases on what was prefetched begin with.
inline constexpr std::string_view prefetch_holder_prefix = "prefetch-";

struct PrefetchRecord {
  enum class State {
    waiting,  // for its turn, or for the next attempt
    fetching,
    present,  // leased until `kept_until`
    used,     // a pod has it; the pod's lease keeps it
    failed,   // `reason`
  };

  std::string tenant;       // a namespace, or where there is none a pod; empty: the node itself
  std::string environment;  // as it was named
  // Who wants it: ids of containers; or node_asker, list_asker.
  std::set<std::string> askers;
  State state = State::waiting;
  int64_t asked_at = 0;       // Unix seconds, as all times here
  int64_t deadline = 0;       // when fetching ends; 0: never
  int64_t retry_at = 0;       // of a waiting one; 0: at once
  unsigned attempts = 0;      // that have failed since it was asked for
  int64_t ended_at = 0;       // of one that is present, used or failed
  int64_t kept_until = 0;     // of a present one; 0: as long as it is asked for
  std::string profile;        // store path; empty: none yet
  uint64_t closure_size = 0;  // bytes, of the profile's
  bool second_lease = false;  // which of its two leases has the profile: the other one is for its successor
  std::string reason, advice;

  std::string key() const { return key_of(tenant, environment); }
  static std::string key_of(std::string_view tenant, std::string_view environment);
  // Of the lease that has the profile, or of the one that is for what is fetched now.
  std::string holder() const;
  std::string next_holder() const;
};

inline constexpr const char* node_asker = "node";    // the node's operator
inline constexpr const char* list_asker = "config";  // the setting `prefetch`

std::string_view to_string(PrefetchRecord::State state) noexcept;

// The directory of the floxd that serves the store below `root`.
std::filesystem::path prefetch_directory(const std::filesystem::path& root);

// One thread at a time.
class PrefetchRecords {
 public:
  // Makes the directory, which is root's alone. Throws Error.
  explicit PrefetchRecords(const std::filesystem::path& directory);
  // By key. What cannot be read is logged and removed: it was asked for in vain.
  std::map<std::string, PrefetchRecord> load() const;
  // Replaces the record's file as a whole. Throws Error.
  void write(const PrefetchRecord& record) const;
  void remove(const std::string& key) const;

 private:
  Directory directory_;
};

// What is there now, for whoever only looks: passes over what goes meanwhile. Changes nothing.
std::vector<PrefetchRecord> read_prefetch_records(const std::filesystem::path& directory);

// Removes all that is kept of prefetching below `root`, with its leases, while no floxd runs: for who takes
// flox off a node.
void remove_prefetched(const std::filesystem::path& root);

}  // namespace flox::node
