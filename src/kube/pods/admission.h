// What an API server would refuse because of what is there already: the objects that restrict others, and
// those that do not change.
#pragma once

#include <map>
#include <vector>

#include "kube/pods/state_dir.h"
#include "kube/reading/manifest.h"

namespace flox::kube {

// Throws Error(conflict) if a manifest would change an immutable ConfigMap or Secret, the handler of a
// RuntimeClass, or lower the Pod Security level of a namespace; Error(invalid_input) if a pod violates the
// level of its namespace.
void check_admission(const std::map<ObjectKey, StoredObject>& known, const std::vector<Manifest>& manifests);

}  // namespace flox::kube
