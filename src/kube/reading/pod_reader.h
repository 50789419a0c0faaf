// Reading pod specs and pod templates from YAML: the part of every workload object that says what to run.
#pragma once  // Fuzzed by fuzz/kube_manifest.cc.

#include "kube/reading/fields.h"

namespace flox::kube {

// What is wrong, not known, or restricts the pod and is not supported is an Error(invalid_input) naming file,
// line, column and field; what has no effect on one machine goes to the context's notes.
PodSpec read_pod_spec(const YamlNode& node, const std::string& path, const ReadContext& context);
PodTemplate read_pod_template(const YamlNode& node, const std::string& path, const ReadContext& context);
// Of any object's metadata.
StringMap read_labels(Fields& metadata);
StringMap read_annotations(Fields& metadata);

}  // namespace flox::kube
