#include "catalog/publish.h"

#include "base/error.h"
#include "trust/attestation/envelope.h"

namespace flox::catalog {

Published publish(const store::LocalStore& store, PackageBuild build, Client& client,
                  store::BinaryCache& cache, const nix::SecretKey& key,
                  const std::optional<trust::BuildProvenance>& provenance) {
  return in_context(fmt::format("publishing {} {}", build.name, build.version), [&] {
    nix::StorePathSet roots;
    for (const auto& [output, path] : build.outputs) roots.insert(path);
    nix::StorePathSet closure = store.closure(roots);
    Published published;
    published.upload = store::upload_closure(store, cache, closure, key);
    build.signer = key.name;
    build.closure_size = store.closure_size(closure);
    if (provenance) {
      const trust::Envelope envelope =
          trust::sign(std::string(trust::statement_type), provenance->to_string(), key);
      published.attested =
          client.attest(provenance->path, envelope.to_string()) ? Attested::now : Attested::otherwise;
    }
    client.publish(build);
    published.build = std::move(build);
    return published;
  });
}

}  // namespace flox::catalog
