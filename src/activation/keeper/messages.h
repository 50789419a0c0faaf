// What is said between commands and the keeper of an environment, over a socket of this user's:
//
//   frame = length (4 bytes, little-endian, of what follows) JSON object
//
// One request at a time on a connection, each with one answer. Bytes that need not be UTF-8 (variables,
// paths) are in base64.
#pragma once  // Fuzzed by fuzz/keeper_messages.cc.

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "activation/changes.h"
#include "env/services.h"

namespace flox::activation {

inline constexpr size_t max_frame = 16 << 20;  // bytes

// An activation of an environment as it was built: all processes in it share one run of its hook.
struct StartKey {
  std::string profile;  // store path
  std::string mode;

  auto operator<=>(const StartKey&) const = default;
};

struct Request {
  enum class Kind {
    begin,    // process `pid` wants to be in `key`; the answer says whether the hook is to be run
    ready,    // the hook has run: `changes`, and the `environment` that it left; for `cwd`, see start
    attach,   // process `pid` is in `key`, too
    detach,   // process `pid` leaves `key`
    status,   // of the services
    start,    // `names` of them, or all if there are none; if none runs, `services` are those to run, with
    restart,  //   `environment` and in `cwd`
    stop,     // `names` of them, or all
  };
  Kind kind = Kind::status;
  StartKey key;
  pid_t pid = 0;
  bool linger = false;  // begin: whoever `pid` stands for says so within some seconds (attach)
  Changes changes;
  env::Variables environment;
  std::string cwd;
  env::Services services;
  std::vector<std::string> names;

  bool operator==(const Request&) const = default;
};

struct ServiceStatus {
  std::string name;
  std::string status;            // Running, Launched (a daemon), Completed, Stopping, Stopped
  std::optional<pid_t> pid;      // while it runs
  std::optional<int> exit_code;  // of one that has completed; 128+signal

  bool operator==(const ServiceStatus&) const = default;
};

struct Answer {
  std::string error;  // empty: it was done
  std::string advice;
  bool run_hook = false;
  Changes changes;                      // begin: of the hook that has run
  std::vector<ServiceStatus> services;  // status: those that this keeper knows
  std::vector<std::string> done;        // start, stop, restart: what was started or stopped
  pid_t keeper = 0;                     // its process
  std::vector<std::string> unchanged;   // what ran, or was stopped, already

  bool operator==(const Answer&) const = default;
};

std::string to_text(const Request& request);
std::string to_text(const Answer& answer);
// Throw Error(invalid_input).
Request parse_request(std::string_view text);
Answer parse_answer(std::string_view text);

// Takes the first whole frame away from `buffer` and gives its text; nothing while more of it has to come.
// Throws Error(invalid_input) for one of more than max_frame.
std::optional<std::string> take_frame(std::string& buffer);
std::string framed(std::string_view text);

}  // namespace flox::activation
