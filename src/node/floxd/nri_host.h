// What floxd does for containers under any runtime that containerd tells it of (node/nri).
#pragma once

#include <boost/asio/thread_pool.hpp>

#include "node/floxd/containers.h"
#include "node/floxd/fair_threads.h"
#include "node/floxd/metrics.h"
#include "node/floxd/node_service.h"
#include "node/nri/nri_plugin.h"

namespace flox::node {

// Work that takes no time to speak of goes to `pool`, environments to their namespaces' turns in `prepares`.
// All arguments outlive the plugin.
NriHost nri_host(boost::asio::thread_pool& pool, FairThreads& prepares, NodeService& node,
                 Containers& containers, Metrics& metrics);

}  // namespace flox::node
