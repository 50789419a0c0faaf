// containerd's word of a container that is to be made, as an OCI spec; and what was done to such a spec
// (imageless/spec_edit.h), as the adjustment that containerd is answered.
#pragma once

#include <string>

#include "node/nri/nri.pb.h"
#include "oci/runtime_spec.h"

namespace flox::node {

namespace nri_api = ::nri::pkg::api::v1alpha1;

// What a release of containerd's lets a plugin change.
struct NriAbilities {
  bool args = false;  // the process's words: containerd 2.2 and later
  // By ConfigureRequest's runtime_name and runtime_version ("containerd", "v2.4.2").
  static NriAbilities of(const std::string& runtime, const std::string& version);
};

// The flox.dev/ annotations are the pod's; who the container is stands in annotations as CRI writes them, and
// comes from containerd's own fields: what a pod's author writes under these names is not believed.
oci::RuntimeSpec spec_of(const nri_api::PodSandbox& pod, const nri_api::Container& container);

// What makes `after`, an edit of `before`, of the container: mounts, variables, words. Throws
// Error(invalid_input) for what this containerd cannot change.
nri_api::ContainerAdjustment adjustment_of(const oci::RuntimeSpec& before, const oci::RuntimeSpec& after,
                                           const NriAbilities& abilities);

}  // namespace flox::node
