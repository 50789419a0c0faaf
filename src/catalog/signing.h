// Signing what is published: the next name file of a package or an environment
// (docs/explanation/provenance.md).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "catalog/client.h"
#include "catalog/environment_name.h"
#include "trust/signer.h"
#include "trust/trust_store.h"
#include "trust/verifier.h"

namespace flox::catalog {

// Signs for one owner. What the catalog has is verified before it is signed again: whoever stands between
// would otherwise have their own builds signed. One thread at a time; what it is given must outlive it.
class MetadataSigner {
 public:
  using Signers = std::vector<std::unique_ptr<trust::Signer>>;
  // Throws Error(untrusted), with advice, if the owner's root is not trusted on this machine.
  MetadataSigner(std::string owner, const Signers& signers, trust::TrustStore& store, Client& client);

  const std::string& owner() const noexcept { return owner_; }
  struct NameFile {
    uint64_t version = 0;
    std::string text;
  };
  // The name file of the build's package with this build added; with `start_over`, one that lists this build
  // only: where the present file cannot be verified any more, because its key was revoked say. Throws
  // Error(untrusted), saying whom to ask, if the signers may not sign the name; conflict if the version is
  // signed with other store paths.
  NameFile sign_build(const PackageBuild& build, bool start_over = false);
  // Whether that is what the catalog has, signed by keys that count today.
  bool is_signed(const EnvironmentName& name, const Pushed& latest);
  // The name file of the environment's generation.
  NameFile sign_generation(const std::string& environment, int64_t generation, const std::string& manifest,
                           const env::Lockfile& lock);

 private:
  struct Present {
    trust::Targets targets;
    trust::Evidence evidence;  // of the name; without name file if it is new
  };
  Present present(const std::string& name);
  NameFile sign(const trust::Targets& targets, trust::NameFile file) const;

  std::string owner_;
  const Signers& signers_;
  trust::TrustStore& store_;
  Client& client_;
  trust::Verifier verifier_;
};

// Pushes the environment's next signed generation, or gives the latest if that is the same and signed. When
// somebody else pushes meanwhile it reads the latest again and signs anew. Throws as Client::push() and
// MetadataSigner do.
int64_t push_signed(MetadataSigner& signer, Client& client, const EnvironmentName& name,
                    const std::string& manifest, const env::Lockfile& lock);
// The same for the record of a build.
void publish_signed(MetadataSigner& signer, Client& client, const PackageBuild& build,
                    bool start_over = false);

}  // namespace flox::catalog
