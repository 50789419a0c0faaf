#include "trust/attestation/envelope.h"

#include <nlohmann/json.hpp>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/error.h"
#include "base/printable.h"

namespace flox::trust {
namespace {

using nlohmann::json;

constexpr const char* name = "the attestation";
constexpr size_t longest_type = 255;      // bytes
constexpr size_t longest_key_name = 255;  // bytes
constexpr size_t longest_signature = 1024;

std::string base64_member(const json& object, const char* key) {
  try {
    return from_base64(string_member(object, key, name));
  } catch (const Error& error) {
    throw error.with_context(fmt::format("{}: '{}'", name, key));
  }
}

Envelope::Signature signature_of(const json& object) {
  if (!object.is_object()) fail(ErrorKind::invalid_input, "{}: a signature is not an object", name);
  Envelope::Signature signature{.key_name = optional_string(object, "keyid", name),
                                .bytes = base64_member(object, "sig")};
  if (signature.key_name.size() > longest_key_name ||
      printable(signature.key_name, longest_key_name) != signature.key_name)
    fail(ErrorKind::invalid_input, "{}: 'keyid' is over {} bytes or has control characters", name,
         longest_key_name);
  if (signature.bytes.empty() || signature.bytes.size() > longest_signature)
    fail(ErrorKind::invalid_input, "{}: 'sig' has not 1 to {} bytes", name, longest_signature);
  return signature;
}

}  // namespace

Envelope Envelope::parse(std::string_view text) {
  const json document = parse_json(text, name, {.bytes = max_envelope, .depth = 4, .values = 128});
  Envelope envelope{.payload_type = string_member(document, "payloadType", name),
                    .payload = base64_member(document, "payload"),
                    .signatures = {}};
  if (envelope.payload_type.empty() || envelope.payload_type.size() > longest_type)
    fail(ErrorKind::invalid_input, "{}: 'payloadType' has not 1 to {} bytes", name, longest_type);
  const json& signatures = member(document, "signatures", name);
  if (!signatures.is_array() || signatures.empty() || signatures.size() > most_envelope_signatures)
    fail(ErrorKind::invalid_input, "{}: 'signatures' is not a list of 1 to {}", name,
         most_envelope_signatures);
  for (const json& signature : signatures) envelope.signatures.push_back(signature_of(signature));
  return envelope;
}

std::string Envelope::to_string() const {
  json list = json::array();
  for (const Signature& signature : signatures)
    list.push_back({{"keyid", signature.key_name}, {"sig", to_base64(signature.bytes)}});
  return json{{"payloadType", payload_type}, {"payload", to_base64(payload)}, {"signatures", std::move(list)}}
      .dump();
}

PublicKeys public_keys(const std::vector<std::string>& texts) {
  PublicKeys keys;
  for (const std::string& text : texts) {
    nix::PublicKey key = nix::PublicKey::parse(text);
    keys.insert_or_assign(key.name, std::move(key));
  }
  return keys;
}

std::string signed_bytes(std::string_view payload_type, std::string_view payload) {
  return fmt::format("DSSEv1 {} {} {} {}", payload_type.size(), payload_type, payload.size(), payload);
}

Envelope sign(std::string payload_type, std::string payload, const nix::SecretKey& key) {
  const std::string text = key.sign(signed_bytes(payload_type, payload));
  const auto signature = nix::Signature::parse(text);
  if (!signature) fail(ErrorKind::internal, "signing with key '{}' gave no signature", key.name);
  return {.payload_type = std::move(payload_type),
          .payload = std::move(payload),
          .signatures = {{.key_name = signature->key_name, .bytes = signature->bytes}}};
}

std::string signer_of(const Envelope& envelope, const PublicKeys& keys) {
  const std::string message = signed_bytes(envelope.payload_type, envelope.payload);
  for (const Envelope::Signature& signature : envelope.signatures)
    if (const auto key = keys.find(signature.key_name);
        key != keys.end() && nix::verifies(key->second, message, signature.bytes))
      return key->first;
  return {};
}

std::string claimed_signers(const Envelope& envelope) {
  std::string names;
  for (const Envelope::Signature& signature : envelope.signatures)
    names += (names.empty() ? "" : ", ") + (signature.key_name.empty() ? "(unnamed)" : signature.key_name);
  return names;
}

}  // namespace flox::trust
