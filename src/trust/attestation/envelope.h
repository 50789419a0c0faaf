// DSSE envelopes (https://github.com/secure-systems-lab/dsse, version 1.0; docs/formats/attestation.md): a
// payload of a stated type with signatures over both.
#pragma once  // Fuzzed by fuzz/attestation.cc.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "nix/signature.h"

namespace flox::trust {

// Bytes of an envelope's text, wherever it is read, kept or sent.
inline constexpr size_t max_envelope = 512 << 10;
// Signatures of one envelope.
inline constexpr size_t most_envelope_signatures = 16;

struct Envelope {
  struct Signature {
    std::string key_name;  // "keyid"; may be empty. It proves nothing by itself
    std::string bytes;
  };
  std::string payload_type;
  std::string payload;
  std::vector<Signature> signatures;  // at least one

  // Throws Error(invalid_input).
  static Envelope parse(std::string_view text);
  std::string to_string() const;  // one line
};

// Keys by name.
using PublicKeys = std::map<std::string, nix::PublicKey, std::less<>>;
// Of texts "NAME:BASE64"; of two of a name the last. Throws Error(invalid_input).
PublicKeys public_keys(const std::vector<std::string>& texts);

// What a signature of an envelope covers: DSSE's pre-authentication encoding.
std::string signed_bytes(std::string_view payload_type, std::string_view payload);
// An envelope with the key's signature.
Envelope sign(std::string payload_type, std::string payload, const nix::SecretKey& key);
// Name of the first trusted key whose signature of the envelope is valid; empty if none is.
std::string signer_of(const Envelope& envelope, const PublicKeys& keys);
// The names that the signatures give, for people.
std::string claimed_signers(const Envelope& envelope);

}  // namespace flox::trust
