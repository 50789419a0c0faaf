// What Kubernetes says of a pod and its events, and what floxd says of the starts of its containers (flox
// node starts --json).
#pragma once  // Fuzzed by fuzz/pod_account.cc.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace flox::kubectl {

// All texts are made safe for a terminal; times are Unix milliseconds.
struct ContainerState {
  std::string name;
  std::string id;        // the runtime's, without its prefix; empty: it has never been made
  bool is_init = false;  // it runs to its end before the next one starts
  bool is_running = false;
  bool has_ended = false;  // and is not started again
  bool is_ready = false;
  int64_t exit_code = 0;  // of an end, the present one or the last one
  std::string
      waits;  // the kubelet's reason: "ContainerCreating", "CrashLoopBackOff"; empty: it does not wait
  std::string message;  // its message to that, or to its end
  int64_t restarts = 0;
  std::optional<int64_t> started_at, ended_at;
};
struct PodState {
  std::string pod_namespace, name, uid, node, phase;
  std::string reason, message;  // of a pod that failed as a whole
  bool is_being_deleted = false;
  std::optional<int64_t> created_at, scheduled_at, sandbox_at, ready_at;  // nothing: not yet
  std::string unschedulable;               // why no node was found; empty: one was, or nobody has looked
  std::vector<ContainerState> containers;  // init containers first, in the order of their starts
};
struct Event {
  int64_t at = 0;
  bool is_warning = false;
  std::string reason, message, container;
  int64_t count = 1;
};
struct StartState {
  struct Stage {
    std::string name;
    int64_t began_at = 0;
    double seconds = 0;
    bool is_over = false, has_failed = false;
  };
  struct Failure {  // of reads
    std::string path, why;
    int64_t at = 0;
  };
  std::string container, container_id, pod_uid, environment, trace_id, state, error, advice, profile, lazy;
  int64_t asked_at = 0, ended_at = 0;
  // Of one whose files come when they are read; 0: not yet.
  int64_t lazy_ready_at = 0, lazy_whole_at = 0, lazy_bytes_at_ready = 0, lazy_bytes = 0;
  std::vector<Failure> failures;
  std::vector<Stage> stages;
  std::string waits_for;             // "turn", "same"; empty: it does not wait
  std::vector<std::string> holders;  // for whom
  int64_t others = 0;                // and how many whose names are not told
  int64_t paths_total = 0, paths_done = 0, bytes_total = 0, bytes_fetched = 0, bytes_per_second = 0;

  bool is_under_way() const { return state == "waiting" || state == "running"; }
};

// What is absent or of another type is left empty.
PodState read_pod(const nlohmann::json& pod);
std::vector<Event> read_events(const nlohmann::json& list);           // the earliest first, the last 200
std::vector<StartState> read_starts(const nlohmann::json& document);  // the earliest first

}  // namespace flox::kubectl
