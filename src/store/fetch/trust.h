// Whether a path may be taken from a cache: the one place that says so, on the installer's side.
#pragma once

#include "nix/path_info.h"
#include "nix/signature.h"

namespace flox::store {

// Throws Error(untrusted) unless one of the keys has signed the path, or `trust_content_addressed` and its
// content address proves its name, by SHA-256 or SHA-512. A content address that does not belong to the name
// is untrusted whoever signed. That the contents hash to it is for verify_unpacked (unpacked_tree.h) to see.
void check_trust(const nix::PathInfo& info, const nix::TrustedKeys& keys, bool trust_content_addressed);

}  // namespace flox::store
