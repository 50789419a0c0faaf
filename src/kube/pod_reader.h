// Reading pod specs and pod templates from YAML: the part of every workload object that says what to run.
#pragma once

#include "kube/fields.h"

namespace flox::kube {

// What is wrong is an Error(invalid_input) naming file, line, column and field; what has no effect on one
// machine, or is not known here, goes to the context's notes.
PodSpec read_pod_spec(const YAML::Node& node, const std::string& path, const ReadContext& context);
PodTemplate read_pod_template(const YAML::Node& node, const std::string& path, const ReadContext& context);

}  // namespace flox::kube
