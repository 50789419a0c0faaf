// Whether the server is well, and what it counts.
#include "base/error.h"
#include "base/log.h"
#include "server/api/resources.h"

namespace flox::server {
namespace {

const std::map<std::string, std::string> of_this_moment = {{"Cache-Control", "no-store"}};

// Asks a part whether it works. The gauge says what it answered last; a change is logged, with the reason.
bool is_ready(ApiContext& context, const char* part, const std::function<void()>& check) {
  auto& gauge = context.metrics.ready.Add({{"part", part}}, 1);
  try {
    check();
    if (gauge.Value() == 0) log::info("ready again: {}", part);
    gauge.Set(1);
    return true;
  } catch (const Error& error) {
    if (gauge.Value() != 0) log::warning("not ready: {}: {}", part, error.what());
    gauge.Set(0);
    return false;
  }
}
bool is_database_ready(ApiContext& context) {
  return is_ready(context, "database", [&] { context.records.check(); });
}
bool are_files_ready(ApiContext& context) {
  return is_ready(context, "files", [&] { context.cache.check(); });
}

// 503 with Retry-After unless both answer and no end is near; the lines say which.
ServerResponse ready(ApiContext& context) {
  ServerResponse response{.headers = of_this_moment};
  const auto line = [&](const char* what, const char* state, bool good) {
    response.body += fmt::format("{}: {}\n", what, state);
    if (good) return;
    response.status = 503;
    response.headers["Retry-After"] = "1";
  };
  const bool database = is_database_ready(context);
  const bool files = are_files_ready(context);
  line("database", database ? "ok" : "unavailable", database);
  line("files", files ? "ok" : "unavailable", files);
  if (context.options.is_stopping()) line("catalog", "stopping", false);
  return response;
}

// Without the database there are metrics, too: they say what is away, and of the rest what it said last.
ServerResponse metrics(ApiContext& context) {
  is_database_ready(context);
  are_files_ready(context);
  context.metrics.store_bytes.Set(static_cast<double>(context.cache.used()));
  context.metrics.audit_failures.Set(static_cast<double>(context.accounts.audit.failures()));
  const auto unix_seconds = [](std::optional<trust::Time> time) {
    return time ? static_cast<double>(time->time_since_epoch().count()) : 0;
  };
  try {
    context.metrics.builds.Set(static_cast<double>(context.records.count()));
    const auto expiry = context.trust.first_expiry();
    context.metrics.root_expires.Set(unix_seconds(expiry.root));
    context.metrics.targets_expires.Set(unix_seconds(expiry.targets));
  } catch (const Error& error) {
    log::debug("metrics: {}", error.what());
  }
  return {.content_type = MetricsPage::content_type,
          .body = context.metrics.page.text() + context.options.further_metrics(),
          .headers = of_this_moment};
}

}  // namespace

void add_health_routes(Router& router, ApiContext& context) {
  router.add("GET", "/healthz", Scope::anyone, no_body(),
             [](const Call&) { return ServerResponse{.body = "ok\n", .headers = of_this_moment}; });
  router.add("GET", "/readyz", Scope::anyone, no_body(), [&](const Call&) { return ready(context); });
  router.add("GET", "/metrics", Scope::anyone, no_body(), [&](const Call&) { return metrics(context); });
}

}  // namespace flox::server
