#include "store/fetch/trust.h"

#include <algorithm>

#include "base/error.h"
#include "nix/store_path.h"

namespace flox::store {
namespace {

// Whether nobody can make other contents with the same hash.
bool is_collision_free(nix::HashAlgorithm algorithm) {
  return algorithm == nix::HashAlgorithm::sha256 || algorithm == nix::HashAlgorithm::sha512;
}

std::string signers(const nix::PathInfo& info) {
  std::vector<std::string> names;
  for (const std::string& signature : info.signatures) names.emplace_back(nix::key_name_of(signature));
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

void check_trust(const nix::PathInfo& info, const nix::TrustedKeys& keys, bool trust_content_addressed) {
  const auto& address = info.content_address;
  if (address && !nix::names(*address, info.path, info.references))
    fail(ErrorKind::untrusted, "the content address {} does not belong to {}", address->to_string(),
         info.path.to_string());
  if (!keys.signer_of(info).empty()) return;
  if (address && trust_content_addressed && is_collision_free(address->hash.algorithm)) return;

  const std::vector<std::string> trusted = keys.names();
  const std::string names = signers(info);
  std::string problem = "it is not signed";
  if (!info.signatures.empty()) {
    const bool known = std::ranges::any_of(info.signatures, [&](const std::string& signature) {
      return std::ranges::find(trusted, nix::key_name_of(signature)) != trusted.end();
    });
    problem = known ? fmt::format("its signature by {} is wrong", names)
                    : fmt::format("it is signed by {}, whom we do not trust", names);
  }
  throw Error(ErrorKind::untrusted,
              fmt::format("{}; trusted keys: {}", problem,
                          trusted.empty() ? "none" : fmt::format("{}", fmt::join(trusted, ", "))),
              "Add the publisher's public key to trusted_keys in the configuration (FLOX_TRUSTED_KEYS).");
}

}  // namespace flox::store
