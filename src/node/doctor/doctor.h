// What is right and wrong with this node, for people who are responsible for it. Looks, and changes nothing.
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

// In the order in which a person would look. A check that cannot be made is a finding too; nothing is thrown.
std::vector<Finding> examine_node(const Config& config, const DoctorOptions& options);

Severity worst(const std::vector<Finding>& findings);
const char* to_string(Severity severity);

}  // namespace flox::node
