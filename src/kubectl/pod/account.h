// The account of a pod's start: what happened when, and what it waits for now. Pure functions of what
// Kubernetes and floxd say.
#pragma once  // Fuzzed by fuzz/pod_account.cc.

#include <optional>
#include <string>
#include <vector>

#include "kubectl/pod/pod_state.h"

namespace flox::kubectl {

struct Entry {
  int64_t at = 0;         // Unix milliseconds
  std::string source;     // "kubernetes" or "floxd"
  std::string container;  // empty: the pod
  std::string what;       // "scheduled", "resolve", an event's reason
  std::string text;
  std::optional<double> seconds;  // that it took
  bool has_failed = false;
};

struct Verdict {
  enum class State {
    started,     // or ran to its end
    on_its_way,  // it waits for something that goes on
    stuck,       // something is wrong
    unknown,     // it waits, and for what could not be seen
  };
  State state = State::unknown;
  std::string text;    // a sentence that goes on from the pod's name: "has started …"
  std::string advice;  // empty: none
};
std::string_view to_string(Verdict::State state) noexcept;

struct Account {
  std::vector<Entry> entries;  // the earliest first
  Verdict verdict;
};

// `starts`: nothing if floxd could not be asked. `now`: Unix milliseconds.
Account account_of(const PodState& pod, const std::vector<Event>& events,
                   const std::optional<std::vector<StartState>>& starts, int64_t now);

}  // namespace flox::kubectl
