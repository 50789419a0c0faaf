// Reading the security contexts of pods and containers. Whatever restricts is read or refused.
#pragma once  // Fuzzed by fuzz/kube_manifest.cc.

#include "kube/reading/fields.h"

namespace flox::kube {

// Throw Error(invalid_input) naming file, line, column and field.
SecurityContext read_security(Fields& container);
void read_pod_security(Fields& pod, PodSpec& spec);
// Refuses annotations by which Kubernetes once took profiles for seccomp and AppArmor.
void check_profile_annotations(Fields& metadata, const StringMap& annotations);

}  // namespace flox::kube
