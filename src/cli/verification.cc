#include "cli/verification.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/printable.h"
#include "catalog/client.h"
#include "cli/catalog_access.h"
#include "store/maintenance/verify.h"

namespace flox::cli {
namespace {

using nlohmann::json;

constexpr const char* built_here = "it was built here and never signed here";

// What the roots of a pod are: the environment's profile, whose packages a lock names, is no package itself.
bool is_package(const ClosureTarget& target, const nix::StorePath& path) {
  if (target.declared.contains(path)) return true;
  return target.roots.contains(path) && target.containers.empty();
}

// Asks the catalog for the attestations of the closure, and checks them.
void check_attestations(const Config& config, const trust::PublicKeys& keys, const store::LocalStore& store,
                        Verification& verification) {
  if (config.catalog_url.empty()) {
    verification.unasked = "no catalog is configured";
    return;
  }
  try {
    catalog::Client catalog = configured_catalog();
    nix::StorePathSet closure;
    for (const VerifiedPath& path : verification.paths) closure.insert(path.component.path);
    const nix::StorePathSet attested = catalog.attested(closure);
    for (VerifiedPath& path : verification.paths) {
      if (!attested.contains(path.component.path)) continue;
      const auto info = store.query(path.component.path);
      if (!info) continue;
      for (const std::string& envelope : catalog.attestations(path.component.path)) {
        path.attestations.push_back(trust::check_attestation(envelope, *info, keys));
        if (const std::string& problem = path.attestations.back().problem; !problem.empty())
          path.problems.push_back("its attestation does not hold: " + problem);
      }
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::untrusted || error.kind() == ErrorKind::internal) throw;
    verification.unasked = printable(error.what());
  }
}

json to_json(const trust::BuildProvenance& provenance, const std::string& signer) {
  json inputs = json::array();
  for (const trust::BuildInput& input : provenance.inputs) {
    json one = {{"name", input.name}, {"digests", input.digests}};
    if (!input.uri.empty()) one["uri"] = input.uri;
    if (!input.notes.empty()) one["notes"] = input.notes;
    inputs.push_back(std::move(one));
  }
  return {{"signer", signer},
          {"builder", provenance.builder},
          {"buildType", provenance.build_type},
          {"startedAt", provenance.started_at},
          {"finishedAt", provenance.finished_at},
          {"sandbox", provenance.sandbox},
          {"inputs", std::move(inputs)}};
}

json to_json(const VerifiedPath& path) {
  json attestations = json::array();
  for (const trust::AttestationCheck& check : path.attestations)
    if (check.provenance) attestations.push_back(to_json(*check.provenance, check.signer));
  return {{"path", path.component.path.to_string()},
          {"name", path.component.package.name},
          {"version", path.component.package.version},
          {"package", path.is_package},
          {"signers", path.signatures.signers},
          {"unknownSigners", path.signatures.unknown},
          {"contentAddressed", path.signatures.is_content_addressed},
          {"provenance", std::move(attestations)},
          {"problems", path.problems}};
}

}  // namespace

bool VerifiedPath::only_lacks_own_signature() const {
  return only_built_here && problems == std::vector<std::string>{built_here};
}

const trust::BuildProvenance* VerifiedPath::provenance() const {
  for (const trust::AttestationCheck& check : attestations)
    if (check.provenance) return &*check.provenance;
  return nullptr;
}

json Verification::to_json() const {
  json list = json::array();
  bool holds = true;
  for (const VerifiedPath& path : paths) {
    list.push_back(cli::to_json(path));
    holds = holds && path.problems.empty();
  }
  json leases = json::array();
  for (const ClosureTarget::Leased& leased : containers) {
    json roots = json::array();
    for (const nix::StorePath& path : leased.paths) roots.push_back(path.to_string());
    leases.push_back({{"container", leased.container}, {"id", leased.id}, {"paths", std::move(roots)}});
  }
  json result = {{"name", name},
                 {"holds", holds},
                 {"contentsRead", contents_read},
                 {"containers", std::move(leases)},
                 {"paths", std::move(list)}};
  if (!unasked.empty()) result["provenanceUnknown"] = unasked;
  return result;
}

Verification verify_target(const VerifyOptions& options) {
  const Config config = Config::load();
  const store::LocalStore store(config.root, config.store_lock_timeout);
  const trust::PublicKeys keys = trust::public_keys(config.trusted_keys);
  const ClosureTarget target = find_target(store, config, options.target);
  Verification verification{.name = target.name, .containers = target.containers};

  nix::StorePathSet closure;
  for (trust::Component& component :
       trust::bill_of(store, target.name, target.roots, target.declared).components) {
    closure.insert(component.path);
    const auto info = store.query(component.path);
    if (!info) fail(ErrorKind::not_found, "{} has been collected meanwhile", component.path.to_string());
    VerifiedPath path{.component = std::move(component), .signatures = trust::check_signatures(*info, keys)};
    path.is_package = is_package(target, path.component.path);
    path.only_built_here = info->ultimate && info->signatures.empty();
    path.problems = path.signatures.problems;
    verification.paths.push_back(std::move(path));
  }
  verification.contents_read = options.contents;
  std::map<nix::StorePath, std::string> damaged;
  for (store::Damage& damage : store::verify(store, {.paths = closure, .contents = options.contents}))
    damaged.emplace(damage.path, std::move(damage.problem));
  check_attestations(config, keys, store, verification);
  for (VerifiedPath& path : verification.paths) {
    if (const auto found = damaged.find(path.component.path); found != damaged.end())
      path.problems.push_back(found->second);
    if (options.require_signatures && path.signatures.signers.empty())
      path.problems.emplace_back(path.only_built_here ? built_here : "no trusted key has signed it");
    if (options.require_provenance && path.is_package && path.provenance() == nullptr)
      path.problems.push_back(verification.unasked.empty()
                                  ? "it has no provenance"
                                  : "its provenance is unknown: " + verification.unasked);
  }
  return verification;
}

}  // namespace flox::cli
