#include "catalog/publish.h"

#include "base/error.h"
#include "trust/attestation/envelope.h"

namespace flox::catalog {

Published publish(const store::LocalStore& store, PackageBuild build, const PublishWith& with) {
  return in_context(fmt::format("publishing {} {}", build.name, build.version), [&] {
    nix::StorePathSet roots;
    for (const auto& [output, path] : build.outputs) roots.insert(path);
    nix::StorePathSet closure = store.closure(roots);
    Published published;
    published.upload = store::upload_closure(store, with.cache, closure, with.key);
    build.signer = with.key.name;
    build.closure_size = store.closure_size(closure);
    if (with.provenance) {
      const trust::Envelope envelope =
          trust::sign(std::string(trust::statement_type), with.provenance->to_string(), with.key);
      published.attested = with.client.attest(with.provenance->path, envelope.to_string())
                               ? Attested::now
                               : Attested::otherwise;
    }
    build.owner = with.signer == nullptr ? "" : with.signer->owner();
    if (with.signer == nullptr)
      with.client.publish(build);
    else
      publish_signed(*with.signer, with.client, build, with.start_over);
    published.build = std::move(build);
    return published;
  });
}

}  // namespace flox::catalog
