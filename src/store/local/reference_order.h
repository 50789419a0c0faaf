// The order in which paths can be registered or published: each after those it refers to.
#pragma once

#include <vector>

#include "nix/path_info.h"

namespace flox::store {

// Pointers into `infos`, each path after its references; references outside the set and to itself do not
// count. Throws Error(invalid_input) if the references go in a circle.
std::vector<const nix::PathInfo*> in_reference_order(const std::vector<nix::PathInfo>& infos);

// Such an order in waves, as indices into it: what a path refers to is in waves before its own. The paths of
// a wave do not depend on each other.
std::vector<std::vector<size_t>> in_waves(const std::vector<const nix::PathInfo*>& order);

}  // namespace flox::store
