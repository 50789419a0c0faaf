#include "ticket/worker/startup.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "ticket/event_log.h"

namespace ticket {

using flox::ErrorKind;
using namespace std::chrono_literals;

namespace {

void unless_forbidden(const std::string& what, const std::function<void()>& check) {
  try {
    check();
  } catch (const flox::Error& error) {
    if (error.kind() != ErrorKind::untrusted) throw;
    log_event(Level::warning, "not allowed to look; taken to be there",
              {{"what", what}, {"error", error.what()}});
  }
}

}  // namespace

std::optional<QueueTraits> wait_for_services(const Settings& settings, Queue& queue, ObjectStore& store,
                                             Table& table, Stop& stop) {
  auto deadline = std::chrono::steady_clock::now() + settings.start_wait;
  for (int attempt = 1; !stop.requested(); ++attempt) {
    auto pause = std::min<std::chrono::milliseconds>(500ms * (1 << std::min(attempt - 1, 6)), 15s);
    try {
      QueueTraits traits = queue.traits();
      for (const std::string& bucket : {settings.raw_bucket, settings.enriched_bucket})
        unless_forbidden("bucket " + bucket, [&] { store.check_bucket(bucket); });
      unless_forbidden("table " + settings.table, [&] { table.check(); });
      return traits;
    } catch (const flox::Error& error) {
      if (stop.requested()) break;
      if (std::chrono::steady_clock::now() + pause > deadline)
        throw error.with_context(fmt::format("waiting {} s for the services", settings.start_wait.count()));
      nlohmann::ordered_json fields = {{"attempt", attempt},
                                       {"again_in_seconds", static_cast<double>(pause.count()) / 1000},
                                       {"error", error.what()}};
      if (!error.advice().empty()) fields["advice"] = error.advice();
      log_event(Level::warning, "waiting for the services", fields);
    }
    stop.sleep(pause);
  }
  return std::nullopt;
}

}  // namespace ticket
