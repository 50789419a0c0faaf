#include "server/api/signers.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "nix/signature.h"

namespace flox::server {
namespace {

using catalog::PackageBuild;

// Who is said to have signed it is remembered.
std::string not_verified(const PackageBuild& build) {
  constexpr std::string_view words = "not verified";
  if (build.signer.empty()) return std::string(words);
  return build.signer.starts_with(words) ? build.signer : fmt::format("{} (claims {})", words, build.signer);
}

std::string signer_of_outputs(const PackageBuild& build, const std::vector<nix::NarInfo>& outputs,
                              const RegisteredKeys& keys) {
  std::set<std::string> signers;
  bool first = true;
  for (const auto& narinfo : outputs) {
    std::set<std::string> here;
    for (const auto& signature : keys.valid_signatures(narinfo.info))
      if (const std::string name(nix::key_name_of(signature));
          keys.may_sign(name, build.name) && (first || signers.contains(name)))
        here.insert(name);
    signers = std::move(here);
    first = false;
  }
  if (signers.contains(build.signer)) return build.signer;
  if (!signers.empty()) return *signers.begin();
  return not_verified(build);
}

}  // namespace

std::vector<std::string> signers_of(const std::vector<PackageBuild>& builds, const CacheFiles& cache,
                                    const RegisteredKeys& keys) {
  nix::StorePathSet paths;
  if (!keys.empty())
    for (const PackageBuild& build : builds)
      for (const auto& [output, path] : build.outputs) paths.insert(path);
  const auto narinfos = cache.narinfos(paths);
  std::vector<std::string> signers;
  for (const PackageBuild& build : builds) {
    std::vector<nix::NarInfo> outputs;
    for (const auto& [output, path] : build.outputs)
      if (const auto found = narinfos.find(path); found != narinfos.end()) outputs.push_back(found->second);
    signers.push_back(outputs.size() == build.outputs.size() ? signer_of_outputs(build, outputs, keys)
                                                             : not_verified(build));
  }
  return signers;
}

std::vector<nix::NarInfo> check_claims(PackageBuild& build, const CacheFiles& cache,
                                       const RegisteredKeys& keys, const CacheAccess& access) {
  nix::StorePathSet paths;
  for (const auto& [output, path] : build.outputs) paths.insert(path);
  build.closure_size = 0;
  std::vector<nix::NarInfo> outputs;
  std::vector<nix::NarInfo> closure = cache.closure(paths, access);
  for (const auto& narinfo : closure) {
    build.closure_size += narinfo.info.nar_size;
    if (!paths.contains(narinfo.info.path)) continue;
    const auto& signatures = narinfo.info.signatures;
    if (build.signer.empty() && !signatures.empty()) build.signer = nix::key_name_of(signatures.front());
    if (std::ranges::none_of(signatures,
                             [&](const auto& one) { return nix::key_name_of(one) == build.signer; }))
      fail(ErrorKind::untrusted,
           "'{}' is to have signed {}, but its narinfo in the cache bears no such signature", build.signer,
           narinfo.info.path.to_string());
    outputs.push_back(narinfo);
  }
  const std::string signer = signer_of_outputs(build, outputs, keys);
  if (!keys.empty() && signer != build.signer)
    throw Error(ErrorKind::untrusted,
                fmt::format("no valid signature of '{}' for {}: its key is not registered for this package",
                            build.signer, build.name),
                "The catalog's operator registers public keys: flox-catalog --trusted-key KEY.");
  build.signer = signer;
  return closure;
}

}  // namespace flox::server
