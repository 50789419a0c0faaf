#include "trust/attestation/public_key_pem.h"

#include <fmt/format.h>

#include "base/data/bytes.h"

namespace flox::trust {

std::string to_pem(const nix::PublicKey& key) {
  // SEQUENCE { SEQUENCE { OID 1.3.101.112 (Ed25519) }, BIT STRING of 32 bytes }
  static const std::string header = from_hex("302a300506032b6570032100");
  return fmt::format("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
                     to_base64(header + key.bytes));
}

}  // namespace flox::trust
