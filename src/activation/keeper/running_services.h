// The services of an environment: one set of them at a time, however many activations there are.
#pragma once

#include <filesystem>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "activation/keeper/service_process.h"
#include "activation/keeper/starts.h"

namespace flox::activation {

// Not thread-safe.
class RunningServices {
 public:
  RunningServices(std::filesystem::path logs, Starts::Reply reply)
      : logs_(std::move(logs)), reply_(std::move(reply)) {}

  // Requests of these kinds, answered by `reply`; stop and restart once what is to stop has stopped.
  void status(ConnectionId connection) const;
  void start(ConnectionId connection, const Request& request);
  void stop(ConnectionId connection, const Request& request);
  void restart(ConnectionId connection, const Request& request);

  std::list<ServiceProcess>& all() noexcept { return services_; }
  void stop_all();
  bool are_stopped() const;
  bool ended(pid_t pid, int exit_code);
  // Kills what has had its time to end, starts what has waited for others, and answers requests whose
  // services have stopped.
  void advance();
  std::optional<Clock::time_point> next_deadline() const;

 private:
  // A request that waits for services to stop.
  struct Pending {
    ConnectionId connection = 0;
    Request request;
    std::vector<std::string> names;
    Answer answer;
  };

  ServiceProcess* find(std::string_view name);
  // Takes the request's services in place of those that are there, all of which have stopped.
  void take(const Request& request);
  std::vector<std::string> named(const std::vector<std::string>& names);
  // Those that depend on others start as soon as these have come so far; what was not started itself, and is
  // not among the names, is not waited for.
  void run(const std::vector<std::string>& names, Answer& answer);
  void start_waiting();
  void finish(Pending& pending);
  template <typename Body>
  void answering(ConnectionId connection, Body&& body);

  std::filesystem::path logs_;
  Starts::Reply reply_;
  std::list<ServiceProcess> services_;
  env::Variables environment_;
  std::string cwd_;
  std::list<Pending> pending_;
};

}  // namespace flox::activation
