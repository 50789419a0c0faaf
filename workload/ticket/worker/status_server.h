// /metrics, /healthz and /readyz.
#pragma once

#include <memory>

#include "base/net/server/http_server.h"
#include "ticket/worker/health.h"
#include "ticket/worker/metrics.h"

namespace ticket {

// Serves on all addresses (the kubelet and Prometheus ask from outside) until it goes. None, with a warning
// in the log, if the port is taken: tickets matter more than figures. Port 0: the system chooses; the log
// tells.
std::unique_ptr<flox::HttpServer> serve_status(uint16_t port, const Metrics& metrics, const Health& health);

}  // namespace ticket
