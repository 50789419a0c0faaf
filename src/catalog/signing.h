// Signing what is published: the next name file of a package or an environment
// (docs/explanation/provenance.md).
#pragma once

#include <memory>
#include <optional>
#include <set>
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
  // The name file of the package in which all builds of the version are yanked for that reason, or no longer;
  // nothing if they are so already. Throws Error(not_found) if no build of the version is signed, untrusted
  // as above.
  std::optional<NameFile> sign_yank(const std::string& package, const std::string& version,
                                    const std::optional<std::string>& reason);
  // The same without these builds (trust::PackageRecord::target_path): who asks for them no longer finds
  // them. Nothing if none of them is signed. Throws Error(invalid_input) if they are all that there is.
  std::optional<NameFile> sign_removal(const std::string& package, const std::set<std::string>& builds);
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
  // What is signed of the package, verified, ready to be its next version.
  trust::NameFile next_name_file(const Present& now, const std::string& package);
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
// The same for builds that are removed: MetadataSigner::sign_removal, and then the catalog is told.
void remove_signed(MetadataSigner& signer, Client& client, const std::string& package,
                   const std::set<std::string>& builds);
// The same for Client::yank(). False if it is so already.
bool yank_signed(MetadataSigner& signer, Client& client, const std::string& package,
                 const std::string& version, const std::optional<std::string>& reason);

}  // namespace flox::catalog
