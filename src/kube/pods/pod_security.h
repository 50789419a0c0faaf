// The Pod Security Standards, which a Namespace's label can enforce.
// https://kubernetes.io/docs/concepts/security/pod-security-standards/
#pragma once

#include <string>

#include "kube/reading/objects.h"

namespace flox::kube {

// The value of pod-security.kubernetes.io/enforce: "privileged" if it is not given, "restricted" if it is
// none that Kubernetes knows.
std::string enforced_level(const StringMap& labels);
// Whether `level` allows what `other` forbids.
bool is_laxer(const std::string& level, const std::string& other);
// What the pod does that the level (privileged, baseline or restricted) forbids; empty: nothing.
std::string pod_security_violation(const PodSpec& spec, const std::string& level);
// The pod's spec of a Pod, Deployment or Job; null for other objects.
const PodSpec* pod_spec_of(const Object& object);

}  // namespace flox::kube
