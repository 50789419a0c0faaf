// Whether the server is well, and what it counts.
#include "server/api/resources.h"

namespace flox::server {
namespace {

ServerResponse ready(ApiContext& context) {
  context.records.count();  // throws if the database cannot be read
  return {.body = "ok\n"};
}

ServerResponse metrics(ApiContext& context) {
  context.metrics.builds.Set(static_cast<double>(context.records.count()));
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
