#include "node/floxd/nri_host.h"

#include <boost/asio/post.hpp>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/printable.h"

namespace flox::node {
namespace {

namespace asio = boost::asio;

void release(NodeService& node, const std::string& id) {
  v1::ReleaseRequest request;
  request.set_container_id(id);
  try {
    node.release(request);
  } catch (const std::exception& error) {  // the next synchronisation tries again
    log::warning("ending the lease of {}: {}", printable(id, 80), message_of(error));
  }
}

// Of containers that ended while floxd was not connected, the lease ends; those that run have one. A
// container that was made without floxd cannot be given its packages any more.
void catch_up(NodeService& node, Metrics& metrics, const std::map<std::string, Container>& known,
              const std::vector<NriContainer>& there) {
  std::set<std::string> ids;
  size_t unprepared = 0;
  for (const NriContainer& container : there) {
    const v1::PrepareRequest& who = container.identity;
    ids.insert(who.container_id());
    if (who.volumes_only()) continue;
    const std::string name =
        printable(who.pod_namespace() + "/" + who.pod_name() + "/" + who.container_name(), 300);
    if (container.store.empty()) {
      ++unprepared;
      log::warning("{} was started without its packages, while floxd was not there: delete the pod", name);
      continue;
    }
    try {
      node.adopt(who, container.store, container.profile);
    } catch (const std::exception& error) {
      log::warning("{}: a lease for the running container: {}", name, message_of(error));
    }
  }
  metrics.nri_unprepared(unprepared);
  for (const auto& [id, container] : known)
    if (container.by_nri && !ids.contains(id)) release(node, id);
}

}  // namespace

NriHost nri_host(asio::thread_pool& pool, FairThreads& prepares, NodeService& node, Containers& containers,
                 Metrics& metrics) {
  return {.tenant_of =
              [](const std::string& pod_namespace, const std::string& pod_id) {
                return tenant_of({.id = {},
                                  .pod_id = pod_id,
                                  .pod_namespace = pod_namespace,
                                  .pod_name = {},
                                  .name = {},
                                  .view = {}});
              },
          .run = [&prepares](const std::string& tenant,
                             std::function<void()> work) { prepares.post(tenant, std::move(work)); },
          .prepare = [&node](const v1::PrepareRequest& request,
                             const std::function<bool()>& is_gone) { return node.prepare(request, is_gone); },
          .release =
              [&pool, &node, &containers](const std::string& id) {
                if (containers.has(id)) asio::post(pool, [&node, id] { release(node, id); });
              },
          .synchronise =
              [&pool, &node, &containers, &metrics](std::vector<NriContainer> there) {
                // Read now: a container that is prepared from here on is not among those that there are.
                asio::post(pool, [&node, &metrics, known = containers.all(), there = std::move(there)] {
                  catch_up(node, metrics, known, there);
                });
              },
          .connected = [&metrics](bool is_connected) { metrics.nri_connected(is_connected); },
          .counted = [&metrics](NriOutcome outcome) { metrics.nri_container(outcome); }};
}

}  // namespace flox::node
