#include "activation/keeper/running_services.h"

#include <algorithm>

#include "base/error.h"
#include "base/printable.h"

namespace flox::activation {

template <typename Body>
void RunningServices::answering(ConnectionId connection, Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    Answer answer;
    answer.error = error.what();
    answer.advice = error.advice();
    reply_(connection, answer);
  }
}

ServiceProcess* RunningServices::find(std::string_view name) {
  const auto found = std::ranges::find(services_, name, &ServiceProcess::name);
  return found == services_.end() ? nullptr : &*found;
}

std::vector<std::string> RunningServices::named(const std::vector<std::string>& names) {
  std::vector<std::string> result;
  if (names.empty())
    for (const ServiceProcess& service : services_) result.push_back(service.name());
  for (const std::string& name : names) {
    if (find(name) == nullptr)
      throw Error(ErrorKind::not_found,
                  fmt::format("service '{}' is not among those that were started", printable(name, 60)),
                  "It was defined after services were started: run 'flox services restart'.");
    if (std::ranges::find(result, name) == result.end()) result.push_back(name);
  }
  return result;
}

void RunningServices::take(const Request& request) {
  services_.clear();
  for (const auto& [name, service] : request.services.by_name) services_.emplace_back(name, service, logs_);
  environment_ = request.environment;
  cwd_ = request.cwd;
}

void RunningServices::run(const std::vector<std::string>& names, Answer& answer) {
  for (const std::string& name : names) {
    ServiceProcess& service = *find(name);
    if (service.is_running() || service.is_waiting()) {
      answer.unchanged.push_back(name);
      continue;
    }
    answer.done.push_back(name);
    if (!service.service().depends_on.empty()) service.wait();
  }
  for (const std::string& name : answer.done)
    if (ServiceProcess& service = *find(name); !service.is_waiting())
      in_context(fmt::format("starting service '{}'", name), [&] { service.start(environment_, cwd_); });
  start_waiting();
}

void RunningServices::start_waiting() {
  for (bool more = true; more;) {
    more = false;
    for (ServiceProcess& service : services_) {
      if (!service.is_waiting()) continue;
      bool ready = true;
      std::string never;
      for (const auto& [name, condition] : service.service().depends_on) {
        const ServiceProcess* const other = find(name);
        if (other == nullptr) continue;
        const std::optional<bool> there = other->has_come_to(condition);
        ready = ready && there.value_or(false);
        if (!there) never = name;
      }
      if (!never.empty()) {
        service.give_up(fmt::format("service '{}', which it depends on, has not come so far", never));
        more = true;
      } else if (ready) {
        try {
          service.start(environment_, cwd_);
        } catch (const Error& error) {
          service.give_up(printable(error.what()));
        }
        more = true;
      }
    }
  }
}

void RunningServices::status(ConnectionId connection) const {
  Answer answer;
  for (const ServiceProcess& service : services_) answer.services.push_back(service.status());
  reply_(connection, answer);
}

void RunningServices::start(ConnectionId connection, const Request& request) {
  answering(connection, [&] {
    if (are_stopped()) take(request);
    const auto names = named(request.names);
    for (const std::string& name : names)
      if (find(name)->is_stopping())
        throw Error(ErrorKind::conflict, fmt::format("service '{}' is being stopped", name),
                    "Run the command again in a moment.");
    Answer answer;
    run(names, answer);
    reply_(connection, answer);
  });
}

void RunningServices::stop(ConnectionId connection, const Request& request) {
  answering(connection, [&] {
    Pending pending{
        .connection = connection, .request = request, .names = named(request.names), .answer = {}};
    for (const std::string& name : pending.names) {
      ServiceProcess& service = *find(name);
      (service.is_running() ? pending.answer.done : pending.answer.unchanged).push_back(name);
      service.stop();
    }
    pending_.push_back(std::move(pending));
  });
}

void RunningServices::restart(ConnectionId connection, const Request& request) {
  answering(connection, [&] {
    const bool anew = request.names.empty() || are_stopped();
    Pending pending{.connection = connection,
                    .request = request,
                    .names = anew ? named({}) : named(request.names),
                    .answer = {}};
    for (const std::string& name : pending.names) find(name)->stop();
    pending_.push_back(std::move(pending));
  });
}

void RunningServices::finish(Pending& pending) {
  answering(pending.connection, [&] {
    if (pending.request.kind == Request::Kind::restart) {
      if (pending.request.names.empty() || are_stopped()) {
        take(pending.request);
        pending.names = named(pending.request.names);
      }
      run(pending.names, pending.answer);
    }
    reply_(pending.connection, pending.answer);
  });
}

void RunningServices::advance() {
  for (ServiceProcess& service : services_)
    if (service.deadline() && *service.deadline() <= Clock::now()) service.escalate();
  start_waiting();
  for (auto pending = pending_.begin(); pending != pending_.end();) {
    const bool stopped = std::ranges::all_of(pending->names, [&](const std::string& name) {
      const ServiceProcess* service = find(name);
      return service == nullptr || service->is_stopped();
    });
    if (!stopped) {
      ++pending;
      continue;
    }
    Pending done = std::move(*pending);
    pending = pending_.erase(pending);
    finish(done);
  }
}

void RunningServices::stop_all() {
  pending_.clear();
  for (ServiceProcess& service : services_) service.stop();
}

bool RunningServices::are_stopped() const {
  return std::ranges::all_of(services_, [](const ServiceProcess& service) { return service.is_stopped(); });
}

bool RunningServices::ended(pid_t pid, int exit_code) {
  return std::ranges::any_of(services_,
                             [&](ServiceProcess& service) { return service.ended(pid, exit_code); });
}

std::optional<Clock::time_point> RunningServices::next_deadline() const {
  std::optional<Clock::time_point> next;
  for (const ServiceProcess& service : services_)
    if (service.deadline() && (!next || *service.deadline() < *next)) next = service.deadline();
  return next;
}

}  // namespace flox::activation
