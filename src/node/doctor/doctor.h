// Checks of this node for its operators. Changes nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/floxd/config.h"

namespace flox::node {

enum class Severity { ok, warning, error };

struct Finding {
  Severity severity = Severity::ok;
  std::string subject;  // "containerd"
  std::string text;     // what was found
  std::string advice;   // what to do; empty if all is well
};

struct DoctorOptions {
  std::optional<std::filesystem::path> containerd_config;  // default: found
  std::string kubeconfig;                                  // empty: the cluster is not asked
  std::string node_name;
};

// In the order in which an operator would check. A check that fails to run is a finding too; throws nothing.
std::vector<Finding> examine_node(const Config& config, const DoctorOptions& options);

Severity worst(const std::vector<Finding>& findings);
const char* to_string(Severity severity);

}  // namespace flox::node
