#include "node/floxd/metrics.h"

#include <sys/statvfs.h>

#include <algorithm>

#include "base/confined/sandbox.h"
#include "node/floxd/store_views.h"
#include "store/gc/lease.h"
#include "store/local/store_guard.h"
#include "store/maintenance/recovery.h"

namespace flox::node {

void Metrics::realised(uint64_t paths, uint64_t bytes, double seconds) {
  ++realises_;
  paths_ += paths;
  bytes_ += bytes;
  milliseconds_ += static_cast<uint64_t>(seconds * 1000);
}

void Metrics::collected(uint64_t paths, uint64_t bytes, double seconds) {
  ++collections_;
  collected_paths_ += paths;
  collected_bytes_ += bytes;
  collected_milliseconds_ += static_cast<uint64_t>(seconds * 1000);
}

void Metrics::failed(ErrorKind kind) { ++failures_.at(static_cast<size_t>(kind)); }

const char* to_string(Budget budget) noexcept {
  switch (budget) {
    case Budget::identity:
      return "identity";
    case Budget::connections:
      return "connections";
    case Budget::message:
      return "message";
    case Budget::requests:
      return "requests";
    case Budget::slow:
      return "slow";
    case Budget::lock_size:
      return "lock_size";
    case Budget::environments:
      return "environments";
    case Budget::locks:
      return "locks";
    case Budget::disk:
      return "disk";
    case Budget::time:
      return "time";
    case Budget::policy:
      return "policy";
  }
  return "?";
}

std::string Metrics::pods_text(const BudgetUse& pods) const {
  std::string text =
      "# HELP flox_pod_refusals_total What pods, and processes of no pod, were refused, by reason.\n"
      "# TYPE flox_pod_refusals_total counter\n";
  for (size_t reason = 0; reason < refusals_.size(); ++reason)
    text += fmt::format("flox_pod_refusals_total{{reason=\"{}\"}} {}\n",
                        to_string(static_cast<Budget>(reason)), refusals_[reason].load());
  auto use = [&](std::string_view name, std::string_view help, const BudgetUse::Pod& of) {
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} gauge\n", name, help);
    text += fmt::format("{0}{{budget=\"requests\"}} {1}\n{0}{{budget=\"environments\"}} {2}\n", name,
                        of.requests, of.environments);
    text += fmt::format("{0}{{budget=\"locks\"}} {1}\n{0}{{budget=\"disk\"}} {2}\n", name, of.locks, of.disk);
  };
  use("flox_pods_use", "What all pods together have of each budget: a number, or bytes of locks and disk.",
      pods.all);
  use("flox_pods_most_use", "The most that any one pod has of each budget.", pods.most);
  text += fmt::format(
      "# HELP flox_pods_connections Connections of pods now.\n# TYPE flox_pods_connections gauge\n"
      "flox_pods_connections {}\n",
      pods.connections);
  return text;
}

std::string Metrics::text(const store::LocalStore& store, const BudgetUse& pods) const {
  std::string text;
  auto add = [&](std::string_view name, std::string_view type, std::string_view help, double value) {
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type, value);
  };
  add("flox_prepare_total", "counter", "Containers prepared.", static_cast<double>(prepares_));
  add("flox_realise_total", "counter", "Environments realised.", static_cast<double>(realises_));
  add("flox_realise_seconds_total", "counter", "Seconds spent realising.",
      static_cast<double>(milliseconds_) / 1000);
  add("flox_realise_paths_fetched_total", "counter", "Store paths fetched.", static_cast<double>(paths_));
  text += fmt::format(
      "# HELP flox_realise_bytes_fetched_total Compressed bytes fetched.\n# TYPE "
      "flox_realise_bytes_fetched_total counter\n"
      "flox_realise_bytes_fetched_total {}\n",
      bytes_.load());
  text +=
      "# HELP flox_realise_failures_total Failed realisations, by kind.\n# TYPE flox_realise_failures_total "
      "counter\n";
  for (size_t kind = 0; kind < failures_.size(); ++kind)
    text += fmt::format("flox_realise_failures_total{{kind=\"{}\"}} {}\n",
                        to_string(static_cast<ErrorKind>(kind)), failures_[kind].load());
  auto is_view = [](const store::Lease& lease) { return lease.holder.starts_with(view_holder_prefix); };
  const auto leases = store::list_leases(store);
  add("flox_leases", "gauge", "Containers and pods that hold a lease.",
      static_cast<double>(leases.size() - static_cast<size_t>(std::ranges::count_if(leases, is_view))));
  add("flox_gc_total", "counter", "Garbage collections.", static_cast<double>(collections_));
  add("flox_gc_failures_total", "counter", "Garbage collections that failed.",
      static_cast<double>(collection_failures_));
  add("flox_gc_seconds_total", "counter", "Seconds spent collecting garbage.",
      static_cast<double>(collected_milliseconds_) / 1000);
  add("flox_gc_paths_removed_total", "counter", "Store paths that were collected.",
      static_cast<double>(collected_paths_));
  text += fmt::format(
      "# HELP flox_gc_bytes_freed_total Bytes on the disk that collecting garbage freed.\n# TYPE "
      "flox_gc_bytes_freed_total counter\nflox_gc_bytes_freed_total {}\n",
      collected_bytes_.load());
  add("flox_isolation_complete", "gauge",
      "Whether fetchers are confined by Landlock and seccomp (isolation = \"required\").",
      available_isolation().complete() ? 1 : 0);
  add("flox_store_read_only", "gauge", "Whether the store is read-only for floxd but where it installs.",
      store::store_is_guarded() ? 1 : 0);
  add("flox_store_damaged_paths", "gauge",
      "Store paths that a stop of the machine has damaged and no cache could repair.",
      static_cast<double>(store::damaged_paths(store).size()));
  struct statvfs disk {};
  if (::statvfs(store.store_directory().c_str(), &disk) == 0)
    text += fmt::format(
        "# HELP flox_store_free_bytes Bytes free on the store's file system.\n# TYPE flox_store_free_bytes "
        "gauge\nflox_store_free_bytes {}\n",
        static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize);
  return text + pods_text(pods);
}

}  // namespace flox::node
