#include "catalog/publish.h"

#include "base/error.h"
#include "base/log.h"
#include "trust/attestation/envelope.h"

namespace flox::catalog {

namespace {

std::string what(const PackageBuild& build) {
  return fmt::format("publishing {} {}", build.name, build.version);
}

Published publish_once(const store::LocalStore& store, PackageBuild build, const PublishWith& with) {
  Published published = upload(store, std::move(build), with);
  in_context(what(published.build), [&] {
    if (with.signer == nullptr)
      published.is_new = with.client.publish(published.build);
    else if (with.signed_copies.empty())
      published.is_new = publish_signed(*with.signer, with.client, published.build, with.listing);
    else
      published.is_new = publish_joined(*with.signer, with.client, published.build, with.signed_copies);
  });
  return published;
}

}  // namespace

Published upload(const store::LocalStore& store, PackageBuild build, const PublishWith& with) {
  return in_context(what(build), [&] {
    nix::StorePathSet roots;
    for (const auto& [output, path] : build.outputs) roots.insert(path);
    nix::StorePathSet closure = store.closure(roots);
    Published published;
    try {
      published.upload = store::upload_closure(store, with.cache, closure, with.key);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::unavailable) throw;
      throw error.with_advice("Check that flox-catalog runs there, and check FLOX_CATALOG_URL.");
    }
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
    published.build = std::move(build);
    return published;
  });
}

Published publish(const store::LocalStore& store, PackageBuild build, const PublishWith& with) {
  try {
    return publish_once(store, build, with);
  } catch (const Error& error) {
    // What was found in the cache may have been collected since: it is uploaded again then.
    if (error.kind() != ErrorKind::not_found && error.kind() != ErrorKind::invalid_input) throw;
    log::debug("publishing once more: {}", error.what());
    return publish_once(store, std::move(build), with);
  }
}

}  // namespace flox::catalog
