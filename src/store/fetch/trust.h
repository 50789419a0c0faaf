// Whether a path may be taken from a cache: the one place that says so, on the installer's side.
#pragma once

#include "nix/path_info.h"
#include "nix/signature.h"

namespace flox::store {

// Throws Error(untrusted) unless one of the keys has signed the path, or its content address proves its name
// and `trust_content_addressed`. A content address that does not belong to the name is untrusted whoever
// signed; one in a form that we cannot check is taken out of `info`.
void check_trust(nix::PathInfo& info, const nix::TrustedKeys& keys, bool trust_content_addressed);

}  // namespace flox::store
