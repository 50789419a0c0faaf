// An attestation from a catalog: a DSSE envelope, and the statement in it. Whatever the input, only what the
// key signed counts.
#include "fuzz.h"
#include "trust/attestation/envelope.h"
#include "trust/attestation/provenance.h"

namespace flox::fuzz::of_attestation {
namespace {

const nix::SecretKey& fixed_key() {
  static const nix::SecretKey key = nix::SecretKey::parse(
      "cache.example-1:"
      "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==");  // RFC
                                                                                                    // 8032,
                                                                                                    // 7.1
  return key;
}

void read_statement(std::string_view text) {
  accepts([&] {
    const trust::BuildProvenance provenance = trust::BuildProvenance::parse(text);
    const std::string written = provenance.to_string();
    require(trust::BuildProvenance::parse(written).to_string() == written,
            "a statement that was read is written as it was");
    require(provenance.inputs.size() <= trust::BuildProvenance::most_inputs, "its inputs are bounded");
  });
}

}  // namespace

void one(std::string_view input) {
  read_statement(input);
  trust::Envelope envelope;
  if (!accepts([&] { envelope = trust::Envelope::parse(input); })) return;
  require(trust::Envelope::parse(envelope.to_string()).to_string() == envelope.to_string(),
          "an envelope that was read is written as it was");
  require(!envelope.signatures.empty() && envelope.signatures.size() <= trust::most_envelope_signatures,
          "its signatures are bounded");
  read_statement(envelope.payload);
  const trust::PublicKeys trusted = trust::public_keys({fixed_key().public_key().to_string()});
  const std::string good =
      trust::sign(envelope.payload_type, envelope.payload, fixed_key()).signatures[0].bytes;
  bool is_signed = false;
  for (const auto& signature : envelope.signatures)
    is_signed = is_signed || (signature.key_name == fixed_key().name && signature.bytes == good);
  require(trust::signer_of(envelope, trusted).empty() != is_signed, "only the key's own signature counts");
}

}  // namespace flox::fuzz::of_attestation
