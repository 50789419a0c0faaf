// Whether what is said of a store path holds: its signatures, its content address, its attestations.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nix/path_info.h"
#include "trust/attestation/envelope.h"
#include "trust/attestation/provenance.h"

namespace flox::trust {

// The signatures of a path.
struct SignatureCheck {
  std::vector<std::string> signers;  // trusted keys whose signature is valid, in the order of the signatures
  std::vector<std::string>
      unknown;  // key names, as they are written there, that are not trusted; one line each
  std::vector<std::string>
      problems;  // a trusted key's signature that is wrong; a content address of another path
  bool is_content_addressed = false;  // and its name follows from the address
};
SignatureCheck check_signatures(const nix::PathInfo& info, const PublicKeys& keys);

struct AttestationCheck {
  std::string signer;                         // the trusted key; empty if it does not hold
  std::string problem;                        // why it does not hold; empty if it does
  std::optional<BuildProvenance> provenance;  // only if it holds
};
// Of an envelope's text from anybody: it is signed by a trusted key, and its statement is of this path with
// this NAR hash.
AttestationCheck check_attestation(std::string_view envelope, const nix::PathInfo& info,
                                   const PublicKeys& keys);

}  // namespace flox::trust
