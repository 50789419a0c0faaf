// Waiting until pods are as the manifests say, with a line for every change.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "kube/commands/session.h"
#include "kube/reading/objects.h"

namespace flox::kube {

using Waited = std::map<ObjectKey, std::string>;  // workload → generation

// Until all pods of these workloads are ready and Jobs complete; with `settle`, and have stayed so for a
// moment. Throws Error(unavailable) that says which pods are not, and why.
void wait_until_complete(const Session& session, const Waited& waited, bool settle,
                         std::chrono::seconds timeout);

// Until no pod of these workloads (all: of any) is left, and with all of them the supervisor. Throws as
// above.
void wait_until_gone(const Session& session, const Waited& removed, bool all, std::chrono::seconds timeout);

}  // namespace flox::kube
