// The order in which paths can be registered or published: each after those it refers to.
#pragma once

#include <vector>

#include "nix/path_info.h"

namespace flox::store {

// Pointers into `infos`, each path after its references; references outside the set and to itself do not
// count. Throws Error(invalid_input) if the references go in a circle.
std::vector<const nix::PathInfo*> in_reference_order(const std::vector<nix::PathInfo>& infos);

}  // namespace flox::store
