// The policy as a ValidatingAdmissionPolicy of Kubernetes, for `flox policy admission`.
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
#pragma once

#include <string>

#include "node/policy/rules.h"

namespace flox::policy {

// Two YAML documents, the policy and its binding, both called `name`. They refuse a pod only if the node
// would refuse it, too; what expressions in CEL cannot see (versions, signers, owners of packages, store
// paths, sizes, times, what is installed later) is said in comments and stays with the node. The policy must
// have rules.
std::string admission(const Policy& policy, const std::string& name);

}  // namespace flox::policy
