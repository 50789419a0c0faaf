// Reading pod specs and pod templates from YAML: the part of every workload object that says what to run.
#pragma once  // Fuzzed by fuzz/kube_manifest.cc.

#include "kube/reading/fields.h"

namespace flox::kube {

// What is wrong, not known, or restricts the pod and is not supported is an Error(invalid_input) naming file,
// line, column and field; what has no effect on one machine goes to the context's notes.
// The field "spec" of a Pod or of a template, the field "template" of a workload's spec: each must be given.
PodSpec read_pod_spec(Fields& owner);
PodTemplate read_pod_template(Fields& workload);
// Of any object's metadata.
StringMap read_labels(Fields& metadata);
StringMap read_annotations(Fields& metadata);

}  // namespace flox::kube
