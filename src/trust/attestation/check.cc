#include "trust/attestation/check.h"

#include "base/error.h"
#include "base/printable.h"

namespace flox::trust {
namespace {

constexpr size_t longest_name = 100;  // characters, for people

BuildProvenance checked(const Envelope& envelope, const nix::PathInfo& info) {
  if (envelope.payload_type != statement_type)
    fail(ErrorKind::invalid_input, "it holds '{}', not a statement",
         printable(envelope.payload_type, longest_name));
  BuildProvenance provenance = BuildProvenance::parse(envelope.payload);
  if (provenance.path != info.path)
    fail(ErrorKind::untrusted, "it is of another path, {}", provenance.path.to_string());
  if (provenance.nar_hash != info.nar_hash)
    fail(ErrorKind::untrusted, "it is of other contents, {}; here they are {}",
         nix::hash_text(provenance.nar_hash), nix::hash_text(info.nar_hash));
  return provenance;
}

}  // namespace

SignatureCheck check_signatures(const nix::PathInfo& info, const PublicKeys& keys) {
  SignatureCheck result;
  const std::string message = info.fingerprint();
  for (const std::string& text : info.signatures) {
    const auto key = keys.find(nix::key_name_of(text));
    const auto signature = nix::Signature::parse(text);
    if (key == keys.end())
      result.unknown.push_back(printable(nix::key_name_of(text), longest_name));
    else if (signature && nix::verifies(key->second, message, signature->bytes))
      result.signers.push_back(key->first);
    else
      result.problems.push_back(fmt::format("the signature by {} is wrong", key->first));
  }
  if (info.content_address) {
    result.is_content_addressed = nix::names(*info.content_address, info.path, info.references);
    if (!result.is_content_addressed)
      result.problems.push_back(
          fmt::format("its content address, {}, is of another path", info.content_address->to_string()));
  }
  return result;
}

AttestationCheck check_attestation(std::string_view text, const nix::PathInfo& info, const PublicKeys& keys) {
  AttestationCheck result;
  try {
    const Envelope envelope = Envelope::parse(text);
    const std::string signer = signer_of(envelope, keys);
    if (signer.empty())
      fail(ErrorKind::untrusted, "its signature by {} is not one of a trusted key",
           printable(claimed_signers(envelope), longest_name));
    result.provenance = checked(envelope, info);
    result.signer = signer;
  } catch (const Error& error) {
    result.problem = printable(error.what());
  }
  return result;
}

}  // namespace flox::trust
