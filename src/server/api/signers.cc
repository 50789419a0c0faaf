#include "server/api/signers.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "nix/signature.h"

namespace flox::server {
namespace {

using catalog::PackageBuild;

std::string not_verified(std::string_view claimed) {
  return claimed.empty() ? "not verified" : fmt::format("not verified (claims {})", claimed);
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
  return build.signer.starts_with(not_verified("")) ? build.signer : not_verified(build.signer);
}

}  // namespace

std::string signer_of(const PackageBuild& build, const CacheFiles& cache, const RegisteredKeys& keys) {
  std::vector<nix::NarInfo> outputs;
  for (const auto& [output, path] : build.outputs) {
    auto narinfo = cache.narinfo(path);
    if (!narinfo) return not_verified(build.signer);
    outputs.push_back(std::move(*narinfo));
  }
  return signer_of_outputs(build, outputs, keys);
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
