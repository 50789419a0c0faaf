// kubectl, by which everything of the cluster is reached: it knows the kubeconfig, logins and proxies.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace flox::kubectl {

// Which cluster, and where flox is in it.
struct ClusterOptions {
  std::string kubeconfig;                      // empty: kubectl's own choice
  std::string context;                         // likewise
  std::string node_namespace = "flox-system";  // of the DaemonSet flox-node
  std::chrono::seconds time{30};               // for each question
};

// Thread-safe.
class Kubectl {
 public:
  explicit Kubectl(ClusterOptions options) : options_(std::move(options)) {}
  const ClusterOptions& options() const noexcept { return options_; }

  struct Answer {
    int exit_code = 0;  // kubectl's; of `kubectl exec` the command's
    std::string out;
    std::string err;  // its end
  };
  // Runs kubectl with these arguments. Throws Error: not_found where there is no kubectl, unavailable where
  // it takes longer than `time` (zero: the options'), invalid_input for an answer of more than 256 MiB.
  Answer run(const std::vector<std::string>& arguments, std::chrono::seconds time = {}) const;
  // Its answer as JSON; -o json is added. Throws Error, too, where kubectl fails: untrusted if it was
  // forbidden, not_found if there is no such object, else unavailable.
  nlohmann::json get(std::vector<std::string> arguments) const;

 private:
  ClusterOptions options_;
};

// The last line of what a program said, made safe for a terminal: what people need to read of an error.
std::string last_line(const std::string& text);

}  // namespace flox::kubectl
