// Publishing: a build's closure to the binary cache, signed, then its record to the catalog.
#pragma once

#include "catalog/client.h"
#include "catalog/signing.h"
#include "store/cache/upload.h"
#include "store/local/local_store.h"

namespace flox::catalog {

struct Published {
  PackageBuild build;  // as recorded: with signer and closure size
  store::UploadResult upload;
};

// Where it goes, and who signs it; all must outlive the call.
struct PublishWith {
  Client& client;
  store::BinaryCache& cache;
  const nix::SecretKey& key;         // signs store paths
  MetadataSigner* signer = nullptr;  // signs that the name is these paths; null: the package is nobody's
  bool start_over = false;           // MetadataSigner::sign_build
};

// Uploads what the cache does not have yet. Records the build last, so that every recorded path can be
// fetched. Throws Error, and records nothing then.
Published publish(const store::LocalStore& store, PackageBuild build, const PublishWith& with);

}  // namespace flox::catalog
