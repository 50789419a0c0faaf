#include "node/floxd/sweep.h"

#include <algorithm>
#include <ctime>
#include <iterator>
#include <set>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "node/floxd/lease_holders.h"
#include "store/gc/lease.h"

namespace flox::node {
namespace {

// A container without processes is given this long to start one before its lease may be swept, seconds.
constexpr int64_t start_grace = 600;

// Of the container, or of the pod's sandbox.
std::string id_of(const std::string& holder) {
  return holder.starts_with(pod_holder_prefix) ? holder.substr(pod_holder_prefix.size()) : holder;
}

}  // namespace

void sweep_leases(const store::LocalStore& store, Containers& containers, Budgets& budgets, Grants& grants,
                  KeptPods& kept, PodLife& life) {
  std::set<std::string> ids;
  auto known = containers.all();
  auto leases = store::list_leases(store);
  std::erase_if(leases, [](const auto& lease) { return !ends_with_processes(lease.holder); });
  for (const auto& lease : leases) ids.insert(id_of(lease.holder));
  for (const auto& [id, container] : known) ids.insert(id);
  std::set<std::string> pods = budgets.pods();
  pods.merge(grants.pods());
  for (const auto& pod : pods) ids.insert(id_of(pod));
  for (const auto& [id, container] : known) ids.insert(container.pod_id);
  const std::vector<KeptPod> kept_pods = kept.pods();
  for (const KeptPod& pod : kept_pods) ids.insert(pod.sandbox);
  ids.erase("");
  if (ids.empty()) return;
  std::set<std::string> running = ids_of_running_processes(ids);
  std::set<std::string> young;
  // A sandboxed runtime (gVisor) has a container's processes in a cgroup that is not the container's.
  // What an earlier floxd has prepared may have ended since: then its pod's sandbox has, too.
  const auto may_start = [&](const std::string& id, const Container& container) {
    return container.pod_id == id || running.contains(container.pod_id) || containers.prepared_now(container);
  };
  for (const auto& [id, container] : known)
    if (container.by_nri ||
        (container.prepared_at + start_grace > std::time(nullptr) && may_start(id, container)))
      young.insert({id, container.pod_id});
  auto alive = [&](const std::string& id) { return running.contains(id) || young.contains(id); };
  for (const auto& lease : leases) {
    if (alive(id_of(lease.holder))) continue;
    log::info("lease of {} ended: none of its processes runs", lease.holder);
    store::release_lease(store, lease.holder);
  }
  for (const auto& [id, container] : known)
    if (!alive(id)) containers.remove(id);
  for (const auto& pod : pods) {
    if (alive(id_of(pod))) continue;
    budgets.forget(pod);
    grants.forget(pod);
  }
  std::vector<std::string> gone = life.gone(kept_pods, alive);
  std::ranges::copy(kept.beyond_limit(), std::back_inserter(gone));
  for (const std::string& key : gone) try {
      kept.forget(key);
      log::info("what was kept for the pod {} is gone, as the pod is", key);
    } catch (const Error& error) {  // the next sweep tries again
      log::warning("removing what was kept for the pod {}: {}", key, error.what());
    }
}

void sweep_views(StoreViews& views, const Containers& containers) {
  constexpr std::chrono::minutes grace{10};  // the next container of a Deployment finds its view
  std::set<std::string> used;
  const auto known = containers.all();
  for (const auto& [id, container] : known) used.insert(container.view);
  views.sweep(used, grace);
}

}  // namespace flox::node
