#include "catalog/publish.h"

#include "base/error.h"

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
