// Garbage collection: POST /api/v1/catalog/gc.
#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "server/api/answers.h"
#include "server/api/resources.h"
#include "server/files/collector.h"

namespace flox::server {
namespace {

constexpr int64_t most_hours = 24 * 365;

ServerResponse collect_garbage(ApiContext& context, const Call& call) {
  const nlohmann::json body = call.json();
  const nlohmann::json& dry = flox::member(body, "dry_run", "the body");
  const nlohmann::json grace = body.value("grace_hours", nlohmann::json());
  if (!grace.is_null() &&
      (!grace.is_number_integer() || grace.get<int64_t>() < 0 || grace.get<int64_t>() > most_hours))
    fail(ErrorKind::invalid_input, "'grace_hours' is not a number from 0 to {}", most_hours);
  const auto before = Clock::now() - (grace.is_null() ? context.cache.orphan_age()
                                                      : std::chrono::hours(grace.get<int64_t>()));
  if (!dry.is_boolean()) fail(ErrorKind::invalid_input, "'dry_run' is neither true nor false");
  const std::unique_lock one_at_a_time(context.collecting, std::try_to_lock);
  if (!one_at_a_time.owns_lock())
    throw Error(ErrorKind::conflict, "this catalog collects garbage just now", "Wait until that has ended.");
  Collector collector(context.cache,
                      [&](const Collector::Take& take) { context.records.for_each_needed_path(take); });
  const Collected collected = collector.run(dry.get<bool>(), before);
  if (!dry.get<bool>()) {
    context.metrics.collections.Increment();
    context.metrics.collected_paths.Increment(static_cast<double>(collected.paths));
    context.metrics.collected_bytes.Increment(static_cast<double>(collected.bytes));
    log::info("{} collected {} store paths and {} NARs, {} bytes", call.caller().name(), collected.paths,
              collected.nars, collected.bytes);
  }
  return as_json({{"dry_run", dry},
                  {"paths", collected.paths},
                  {"nars", collected.nars},
                  {"bytes", collected.bytes},
                  {"kept_paths", collected.kept_paths},
                  {"kept_young_paths", collected.kept_young}});
}

}  // namespace

void add_collect_routes(Router& router, ApiContext& context) {
  router.add("POST", "/api/v1/catalog/gc", Scope::operate, json_body(4 << 10),
             [&](const Call& call) { return collect_garbage(context, call); });
}

}  // namespace flox::server
