#include "store/fetch/trust.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "nix/store_path.h"

namespace flox::store {
namespace {

// Whether the path's name follows from its content address (docs/formats/store-path.md); nothing if it is of
// another form.
std::optional<bool> proves_name(const nix::PathInfo& info) {
  constexpr std::string_view form = "fixed:r:sha256:";
  if (!info.content_address || !info.content_address->starts_with(form)) return std::nullopt;
  const Sha256Digest hash = nix::parse_hash(std::string_view(*info.content_address).substr(form.size() - 7));
  nix::StorePathSet references = info.references;
  const bool self = references.erase(info.path) > 0;
  return nix::content_addressed_path(info.path.name(), hash, references, self) == info.path;
}

std::string signers(const nix::PathInfo& info) {
  std::vector<std::string> names;
  for (const std::string& signature : info.signatures)
    names.push_back(signature.substr(0, signature.find(':')));
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

void check_trust(nix::PathInfo& info, const nix::TrustedKeys& keys, bool trust_content_addressed) {
  const std::optional<bool> proven = proves_name(info);
  if (proven == false)
    fail(ErrorKind::untrusted, "the content address {} does not belong to {}", *info.content_address,
         info.path.to_string());
  if (!proven) info.content_address.reset();
  if (!keys.signer_of(info).empty()) return;
  if (proven == true && trust_content_addressed) return;

  const std::vector<std::string> trusted = keys.names();
  const std::string names = signers(info);
  std::string problem = "it is not signed";
  if (!info.signatures.empty()) {
    const bool known = std::ranges::any_of(info.signatures, [&](const std::string& signature) {
      return std::ranges::find(trusted, signature.substr(0, signature.find(':'))) != trusted.end();
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
