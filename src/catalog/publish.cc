#include "catalog/publish.h"

#include "base/error.h"
#include "base/log.h"
#include "trust/attestation/envelope.h"

namespace flox::catalog {

namespace {

Published publish_once(const store::LocalStore& store, PackageBuild build, const PublishWith& with) {
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
    published.attested =
        with.client.attest(with.provenance->path, envelope.to_string()) ? Attested::now : Attested::otherwise;
  }
  build.owner = with.signer == nullptr ? "" : with.signer->owner();
  if (with.signer == nullptr)
    with.client.publish(build);
  else
    publish_signed(*with.signer, with.client, build, with.start_over);
  published.build = std::move(build);
  return published;
}

}  // namespace

Published publish(const store::LocalStore& store, PackageBuild build, const PublishWith& with) {
  return in_context(fmt::format("publishing {} {}", build.name, build.version), [&] {
    try {
      return publish_once(store, build, with);
    } catch (const Error& error) {
      // What was found in the cache may have been collected since: it is uploaded again then.
      if (error.kind() != ErrorKind::not_found && error.kind() != ErrorKind::invalid_input) throw;
      log::debug("publishing once more: {}", error.what());
      return publish_once(store, build, with);
    }
  });
}

}  // namespace flox::catalog
