// Public keys as other tools read them.
#pragma once

#include <string>

#include "nix/signature.h"

namespace flox::trust {

// The key as PEM: SubjectPublicKeyInfo (RFC 8410), as `cosign --key` and `openssl pkey -pubin` take it.
std::string to_pem(const nix::PublicKey& key);

}  // namespace flox::trust
