// What is known of a pod: written by the supervisor to status.json, read by ps, describe, logs, exec and
// play.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "kube/reading/objects.h"

namespace flox::kube {

// Seconds since the epoch; 0 if it has not happened.
using UnixTime = int64_t;

enum class RunState { waiting, running, terminated };

struct ContainerStatus {
  std::string name, image, id;  // id is empty before the first creation
  RunState state = RunState::waiting;
  std::string reason, message;  // CrashLoopBackOff, Completed, Error, …; empty while running
  int exit_code = 0;            // of the last end
  int restarts = 0;
  bool ready = false;  // init containers: ended with 0
  UnixTime started_at = 0, finished_at = 0;
  std::string last_reason, last_message;  // how it ended before it was started again
  int last_exit_code = 0;
};

struct Event {
  UnixTime time = 0;  // of the last occurrence
  bool warning = false;
  std::string reason, message;
  int count = 1;
};

struct PodStatus {
  std::string uid, name, namespace_;
  std::string owner_kind, owner_name;  // empty: played by itself
  std::string template_hash;
  StringMap labels, annotations;
  std::string runtime_class, service_account;
  UnixTime created_at = 0;
  std::string phase = "Pending";  // Pending, Running, Succeeded, Failed
  std::string reason, message;    // of the pod as a whole
  bool permanent = false;         // the reason will not go away by waiting
  bool terminating = false;
  std::string ip;
  std::string log_directory;
  std::vector<ContainerStatus> init_containers, containers;
  std::vector<Event> events;  // oldest first, the same one only once with its count

  bool ready() const;        // running, and every container ready
  bool initialized() const;  // every init container has ended with 0
  bool finished() const { return phase == "Succeeded" || phase == "Failed"; }
  int restarts() const;
};

// The STATUS column of `kubectl get pods`: "Init:0/1", "PodInitializing", "Running", "CrashLoopBackOff", …
std::string status_word(const PodStatus& pod);
// What is wrong, as a sentence; empty if nothing is.
std::string trouble(const PodStatus& pod);
// "5s", "2m30s", "3h", "4d" as kubectl prints ages.
std::string age_text(int64_t seconds);

// Adds an event, or counts it again if it is the same as one of the last few.
void add_event(PodStatus& pod, UnixTime now, bool warning, const std::string& reason,
               const std::string& message);

// The form in status.json and of `ps --json`; from_json reads what to_json wrote.
nlohmann::json to_json(const PodStatus& pod);
PodStatus pod_status_from_json(const nlohmann::json& json);

}  // namespace flox::kube
