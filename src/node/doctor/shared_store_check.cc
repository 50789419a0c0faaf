#include "node/doctor/shared_store_check.h"

#include "base/settings/units.h"
#include "node/doctor/policy_check.h"

namespace flox::node {

std::vector<Finding> check_shared_store(const Config& config, const std::string& metrics) {
  const auto finding = [](Severity severity, std::string text, std::string advice = {}) {
    return std::vector<Finding>{{severity, "shared store", std::move(text), std::move(advice)}};
  };
  if (config.store_writer.empty() && !config.store_readers)
    return finding(Severity::ok, "this node's store is its own (store_writer, store_readers)");
  if (config.store_writer.empty()) {
    if (!config.peer_address)
      return finding(
          Severity::error, "store_readers is set, and peer_address is not",
          "Set peer_address to the ADDRESS:PORT at which floxd serves the nodes that read its store.");
    return finding(
        Severity::ok,
        fmt::format("this node's store is read by {}",
                    count_text(static_cast<size_t>(metric_in(metrics, "flox_store_readers")), "other node")));
  }
  if (config.root == "/")
    return finding(
        Severity::error, "the node's own records would be in the store that others write",
        "Set root in /etc/flox/config.toml to a directory of this node's, as /var/lib/flox/reader.");
  if (metrics.empty()) return finding(Severity::warning, "floxd does not answer", "See the line floxd.");
  if (metric_in(metrics, "flox_store_writer_heard") < 1)
    return finding(
        Severity::error,
        fmt::format("the writer {} did not answer when it was last asked; what this node has leased starts "
                    "all the same",
                    config.store_writer),
        "See that floxd runs there, and that its peer_address can be reached from this node.");
  return finding(Severity::ok, fmt::format("this node reads the store of {}, which is at {}",
                                           config.store_writer, (config.root / "nix/store").string()));
}

}  // namespace flox::node
