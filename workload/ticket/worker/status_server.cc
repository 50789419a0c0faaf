#include "ticket/worker/status_server.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/net/server/metrics_page.h"
#include "ticket/event_log.h"

namespace ticket {

std::unique_ptr<flox::HttpServer> serve_status(uint16_t port, const Metrics& metrics, const Health& health) {
  auto handler = [&](const flox::ServerRequest& request) -> flox::ServerResponse {
    if (request.path == "/metrics")
      return {.content_type = flox::MetricsPage::content_type, .body = metrics.text()};
    if (request.path == "/healthz") return {.body = "ok\n"};
    if (request.path == "/readyz") {
      auto problem = health.problem();
      if (!problem) return {.body = "ready\n"};
      return {.status = 503, .body = "not ready: " + *problem + "\n"};
    }
    return {.status = 404, .body = "known here: /metrics, /healthz, /readyz\n"};
  };
  try {
    auto server = std::make_unique<flox::HttpServer>(flox::HttpServerOptions{.address = "0.0.0.0",
                                                                             .port = port,
                                                                             .threads = 1,
                                                                             .read_only = true,
                                                                             .fixed = {{"/healthz", "ok\n"}},
                                                                             .max_connections = 128,
                                                                             .max_waiting = 64},
                                                     handler);
    log_event(Level::info, "serving metrics", {{"port", server->port()}});
    return server;
  } catch (const flox::Error& error) {
    log_event(Level::warning, "no metrics are served",
              {{"error", error.what()}, {"advice", "METRICS_PORT chooses another port"}});
    return nullptr;
  }
}

}  // namespace ticket
