// Which processes are in which build of an environment, and who runs its hook.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <vector>

#include "activation/keeper/messages.h"
#include "activation/keeper/service_process.h"
#include "base/os/fd.h"

namespace flox::activation {

using ConnectionId = uint64_t;

// How long a shell that evaluates what flox has printed may take to say that it is there.
inline constexpr std::chrono::seconds linger_limit{30};

struct Attachment {
  pid_t pid = -1;
  Fd watch;  // a pidfd: readable once the process has ended
};

struct Start {
  StartKey key;
  bool ready = false;        // its hook has run
  ConnectionId starter = 0;  // whose task that is
  Changes changes;
  env::Variables environment;
  std::string cwd;
  std::vector<Attachment> attachments;
  std::optional<Clock::time_point> linger;  // until then it is used without any
  struct Waiting {
    ConnectionId connection = 0;
    Request request;
  };
  std::vector<Waiting> waiting;  // for it to be ready
};

// Not thread-safe.
class Starts {
 public:
  using Reply = std::function<void(ConnectionId, const Answer&)>;
  explicit Starts(Reply reply) : reply_(std::move(reply)) {}

  // Requests of these kinds, answered by `reply`, for begin perhaps later.
  void begin(ConnectionId connection, const Request& request);
  void ready(ConnectionId connection, const Request& request);
  void attach(ConnectionId connection, const Request& request);
  void detach(ConnectionId connection, const Request& request);
  // Whoever had to run a hook is gone: the next one does.
  void disconnected(ConnectionId connection);

  const std::list<Start>& all() const noexcept { return starts_; }
  // The processes that have ended, and lingering that has: for each start that is used no longer, which is
  // taken away, gives it back.
  std::vector<Start> take_unused();
  std::vector<Start> take_all();
  std::optional<Clock::time_point> next_deadline() const;

 private:
  Start* find(const StartKey& key);
  void use(Start& start, const Request& request) const;
  bool is_used(const Start& start) const;

  Reply reply_;
  std::list<Start> starts_;
};

}  // namespace flox::activation
