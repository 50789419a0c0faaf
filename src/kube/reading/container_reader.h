// Reading the containers of a pod from a manifest.
#pragma once  // Fuzzed by fuzz/kube_manifest.cc.

#include "kube/reading/fields.h"

namespace flox::kube {

// Throws Error(invalid_input) naming file, line, column and field.
// `key`: "containers" or "initContainers".
std::vector<Container> read_containers(Fields& pod, const char* key, bool init);
// A whole number of seconds, at most a year.
seconds seconds_of(Fields& fields, const char* key, int64_t minimum, seconds otherwise);

}  // namespace flox::kube
