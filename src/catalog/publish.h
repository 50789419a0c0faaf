// Publishing: a build's closure to the binary cache, signed, then its record to the catalog.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/client.h"
#include "catalog/signing.h"
#include "store/cache/upload.h"
#include "store/local/local_store.h"
#include "trust/attestation/provenance.h"

namespace flox::catalog {

// What became of the provenance of a build.
enum class Attested {
  none,       // it has no provenance
  now,        // it was signed, and the catalog has it
  otherwise,  // the key has attested the path before, otherwise: that stays
};

struct Published {
  PackageBuild build;  // as recorded: with signer and closure size
  store::UploadResult upload;
  Attested attested = Attested::none;
  bool is_new = true;  // false: the catalog had the build before
};

// Where it goes, and who signs it; all must outlive the call.
struct PublishWith {
  Client& client;
  store::BinaryCache& cache;
  const nix::SecretKey& key;         // signs store paths, and the provenance
  MetadataSigner* signer = nullptr;  // signs that the name is these paths; null: nobody does
  Listing listing = {};              // of which builds the package consists then
  // A prepared name file that its holders have signed, in copies (MetadataSigner::join); empty: it is signed
  // now.
  std::vector<std::string> signed_copies = {};
  // How the build came about (trust/attestation/provenance.h); nothing: it is not known.
  std::optional<trust::BuildProvenance> provenance = std::nullopt;
};

// The part of publish() before the record: nobody finds the build by its name then.
Published upload(const store::LocalStore& store, PackageBuild build, const PublishWith& with);

// Uploads what the cache does not have yet, then the statement on how it was built, if there is one. Records
// the build last, so that of every recorded path all can be fetched. Throws Error, and records nothing then.
Published publish(const store::LocalStore& store, PackageBuild build, const PublishWith& with);

}  // namespace flox::catalog
