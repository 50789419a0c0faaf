// The places of an imageless container that are the node's: /nix, where the store is, and /run/flox, where
// the pod's socket is. A pod that mounted something there could stand between the container and the node.
#pragma once

#include "oci/runtime_spec.h"
#include "shim/imageless/rootfs.h"

namespace flox::shim {

// Throws Error(conflict) if a mount or a device of the spec (a volume, a tmpfs, any other) stands at or below
// a reserved place, or on "/": by its text in any spelling, or because a link of the root leads there. A
// mount above ("/run") is fine: what is ours is mounted after all others, and lies on top
// (RuntimeSpec::add_mount). For that reason it does not matter either where a link inside a volume would lead
// a mount that is nested in that volume.
void check_places(const oci::RuntimeSpec& spec, const Rootfs& root);

}  // namespace flox::shim
