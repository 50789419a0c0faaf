// Which store paths go into which layer of an image, so that images share as much as possible.
#pragma once

#include <cstdint>
#include <vector>

#include "nix/path_info.h"

namespace flox::oci {

// Container engines take 127 layers (overlayfs's mount options); the last ones are left for what is built
// upon the image.
inline constexpr size_t most_layers = 100;
// What is smaller gets no layer of its own: opening a layer costs more than sending so much again.
inline constexpr uint64_t least_own_layer = 256 << 10;  // bytes of NAR

// Layers in their order, lowest first; the paths of each are sorted. A path of least_own_layer or more has a
// layer to itself, those first that most of the others need, directly or not, up to `most` layers in all;
// what is left is in one layer above them. `last` has the uppermost layer to itself: it is what differs
// between two images of one environment. Depends on the closure alone. Throws Error(internal) if `most` is
// under 3.
std::vector<std::vector<nix::StorePath>> layers_of(const std::vector<nix::PathInfo>& closure,
                                                   const nix::StorePath& last, size_t most = most_layers);

}  // namespace flox::oci
