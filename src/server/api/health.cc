// Whether the server is well, and what it counts.
#include "base/error.h"
#include "base/log.h"
#include "server/api/resources.h"

namespace flox::server {
namespace {

// 503 with Retry-After unless both answer; the lines say which.
ServerResponse ready(ApiContext& context) {
  ServerResponse response;
  const auto look = [&](const char* what, const std::function<void()>& check) {
    try {
      check();
      response.body += fmt::format("{}: ok\n", what);
    } catch (const Error& error) {
      log::warning("not ready: {}", error.what());
      response.status = 503;
      response.headers["Retry-After"] = "1";
      response.body += fmt::format("{}: unavailable\n", what);
    }
  };
  look("database", [&] { context.records.check(); });
  look("files", [&] { context.cache.check(); });
  return response;
}

ServerResponse metrics(ApiContext& context) {
  try {
    context.metrics.builds.Set(static_cast<double>(context.records.count()));
    context.metrics.database_up.Set(1);
  } catch (const Error& error) {  // when the database is away, the rest is wanted most
    log::debug("metrics: {}", error.what());
    context.metrics.database_up.Set(0);
  }
  context.metrics.store_bytes.Set(static_cast<double>(context.cache.used()));
  context.metrics.audit_failures.Set(static_cast<double>(context.accounts.audit.failures()));
  return {.content_type = MetricsPage::content_type,
          .body = context.metrics.page.text() + context.options.further_metrics()};
}

}  // namespace

void add_health_routes(Router& router, ApiContext& context) {
  router.add("GET", "/healthz", Scope::anyone, no_body(),
             [](const Call&) { return ServerResponse{.body = "ok\n"}; });
  router.add("GET", "/readyz", Scope::anyone, no_body(), [&](const Call&) { return ready(context); });
  router.add("GET", "/metrics", Scope::anyone, no_body(), [&](const Call&) { return metrics(context); });
}

}  // namespace flox::server
