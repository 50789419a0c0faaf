// The places of an imageless container that are the node's: /nix, where the store is, and /run/flox, where
// the pod's socket is. A pod that mounted something there could stand between the container and the node.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "oci/runtime_spec.h"

namespace flox::imageless {

// Where a path leads in the container's root, without links, "." and "..". Throws Error for what leads
// nowhere.
using Resolve = std::function<std::string(const std::string&)>;

// Throws Error(conflict) if a mount or a device of the spec (a volume, a tmpfs, any other) stands at or below
// a reserved place, or on "/": by its text in any spelling, or because a link of the root leads there, where
// `resolve` knows the root. A mount above ("/run") is fine: what is ours is mounted after all others, and
// lies on top (RuntimeSpec::add_mount). For that reason it does not matter either where a link inside a
// volume would lead a mount that is nested in that volume. The same error if a link of the root leads a
// reserved place into a mount of the spec's.
void check_places(const oci::RuntimeSpec& spec, const Resolve& resolve);

// The path with "//", "." and ".." taken out by its text alone: "/" or "/a/b". Relative paths begin at the
// root.
std::string normalised_path(std::string_view path);

}  // namespace flox::imageless
