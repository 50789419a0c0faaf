// Signing what is published: the next name file of a package or an environment
// (docs/explanation/provenance.md).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "catalog/client.h"
#include "catalog/environment_name.h"
#include "trust/signer.h"
#include "trust/signing_state.h"
#include "trust/trust_store.h"
#include "trust/verifier.h"

namespace flox::catalog {

// Which builds the next file of a package lists, besides the one that is published.
struct Listing {
  // None of those that are there: where the present file cannot be verified any more, because its key was
  // revoked say.
  bool start_over = false;
  // Those of so many versions, the newest and the one that is published; 0: all. Nobody can install the
  // others any more.
  size_t keep_versions = 0;
};

// Signs for one owner. What the catalog has is verified before it is signed again: whoever stands between
// would otherwise have their own builds signed. One thread at a time; what it is given must outlive it.
class MetadataSigner {
 public:
  using Signers = trust::Signers;
  // With `remember` false, what was seen is not written down: for commands that only read. Throws
  // Error(untrusted), with advice, if the owner's root is not trusted on this machine.
  MetadataSigner(std::string owner, const Signers& signers, trust::TrustStore& store, Client& client,
                 bool remember = true);

  const std::string& owner() const noexcept { return owner_; }
  struct NameFile {
    uint64_t version = 0;
    std::string text;
  };
  // The next file of a name, and which of the signatures that it needs the signers here could give.
  struct Prepared {
    trust::Signed<trust::NameFile> file;
    trust::SigningState state;
    std::string allowed;  // who may sign it, for people
  };
  // The name file of the build's package with this build added. Throws Error: untrusted if the owner has
  // delegated the name to nobody, or if what is there cannot be verified; conflict if the version is signed
  // with other store paths; invalid_input, with advice, if the file would be larger than the catalog takes.
  Prepared prepare_build(const PackageBuild& build, const Listing& listing = {});
  // The name file of the environment's next generation. Throws Error(conflict) if it is not the next.
  Prepared prepare_generation(const std::string& environment, int64_t generation, const std::string& manifest,
                              const env::Lockfile& lock);
  // Those, complete. Throw Error(untrusted), saying whom to ask, if the signers here do not suffice.
  NameFile sign_build(const PackageBuild& build, const Listing& listing = {});
  NameFile sign_generation(const std::string& environment, int64_t generation, const std::string& manifest,
                           const env::Lockfile& lock);
  // The name file of the package in which all builds of the version are yanked for that reason, or no longer;
  // nothing if they are so already. Throws Error(not_found) if no build of the version is signed, untrusted
  // as sign_build().
  std::optional<NameFile> sign_yank(const std::string& package, const std::string& version,
                                    const std::optional<std::string>& reason);
  // The same without these builds (trust::PackageRecord::target_path): who asks for them no longer finds
  // them. Nothing if none of them is signed. Throws Error(invalid_input) if they are all that there is.
  std::optional<NameFile> sign_removal(const std::string& package, const std::set<std::string>& builds);
  struct Joined {
    trust::Signed<trust::NameFile> file;
    bool is_there = false;  // the catalog has this very file
  };
  // A prepared file with the signatures of all copies that came back from its signers. Nothing is signed
  // here. Throws Error: invalid_input for copies of different files, or of another name or owner; untrusted
  // if signatures are still lacking.
  Joined join(const std::string& name, const std::vector<std::string>& copies);
  // Whether that is what the catalog has, signed by keys that count today.
  bool is_signed(const EnvironmentName& name, const Pushed& latest);

  // What a file would change, for whoever is asked to sign it.
  struct Review {
    trust::Targets targets;
    std::vector<std::string> changes;  // "+ 1.1/x86_64-linux/any: out /nix/store/…", "- …" for what would go
  };
  // Throws Error(conflict) if it is not the name's next version: the catalog would refuse it.
  Review review(const trust::NameFile& file);

 private:
  struct Present {
    trust::Targets targets;
    trust::Evidence evidence;  // of the name; without name file if it is new
  };
  Present present(const std::string& name);
  // Whether only the package's file is at fault: no key that counts has signed it, or it has expired.
  bool has_run_out(const Present& now, const std::string& package);
  // What is signed of the package, verified, ready to be its next version.
  trust::NameFile next_name_file(const Present& now, const std::string& package);
  static Prepared with_state(const trust::Targets& targets, trust::Signed<trust::NameFile> file);
  // With the signatures of the signers here.
  Prepared prepare(const trust::Targets& targets, trust::Signed<trust::NameFile> file) const;
  void require_complete(const Prepared& prepared) const;
  NameFile complete(const Prepared& prepared) const;

  std::string owner_;
  const Signers& signers_;
  trust::TrustStore& store_;
  Client& client_;
  bool remember_;
  trust::Verifier verifier_;
};

// Looks at the latest generation (nothing: there is none yet), which is not the same as what is pushed, and
// throws Error if that must not be pushed upon it.
using MayFollow = std::function<void(const std::optional<Pushed>& latest)>;

// Pushes the environment's next generation, upon the latest one that `may_follow` has seen, or gives the
// latest if that is the same (and signed, if there is a signer). When somebody else pushes meanwhile it reads
// the latest again, asks again, and signs anew. `signer` null: it is not signed. Throws as Client::push() and
// MetadataSigner do, and what `may_follow` throws.
int64_t push_environment(MetadataSigner* signer, Client& client, const EnvironmentName& name,
                         const std::string& manifest, const env::Lockfile& lock, const MayFollow& may_follow);
// The same for the record of a build. False if the catalog had it before; it is signed anew then.
bool publish_signed(MetadataSigner& signer, Client& client, const PackageBuild& build,
                    const Listing& listing = {});
// Pushes, or publishes, what was prepared, with a file that its holders have signed (join()). Once more does
// no harm. Throws Error(conflict) if somebody has published the name since it was prepared.
int64_t push_joined(MetadataSigner& signer, Client& client, const EnvironmentName& name,
                    const std::string& manifest, const env::Lockfile& lock,
                    const std::vector<std::string>& copies, const MayFollow& may_follow);
bool publish_joined(MetadataSigner& signer, Client& client, const PackageBuild& build,
                    const std::vector<std::string>& copies);

// The same for builds that are removed: MetadataSigner::sign_removal, and then the catalog is told.
void remove_signed(MetadataSigner& signer, Client& client, const std::string& package,
                   const std::set<std::string>& builds);
// The same for Client::yank(). False if it is so already.
bool yank_signed(MetadataSigner& signer, Client& client, const std::string& package,
                 const std::string& version, const std::optional<std::string>& reason);

// Lines on what a name's file says, compared with the one before; null: with none.
std::vector<std::string> changes_of(const trust::NameFile& file, const trust::NameFile* before);

}  // namespace flox::catalog
