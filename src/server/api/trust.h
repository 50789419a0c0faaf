// The catalog's part in signed metadata (docs/explanation/provenance.md): it keeps what owners sign, refuses
// what a node would refuse, and says with a key of its own what the newest of all names is. Of an owner that
// is mirrored from another catalog it passes on what that one says.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "catalog/model.h"
#include "nix/signature.h"
#include "server/records/environments.h"
#include "server/records/records.h"
#include "server/records/trust_records.h"
#include "trust/name_tree.h"
#include "trust/verifier.h"

namespace flox::server {

// What is signed of a name, and whether a node that trusts its owner would take it now.
struct Standing {
  trust::NameFile file;
  std::string role;                  // empty if it does not stand
  std::vector<std::string> signers;  // keys for people (trust::describe_key)
  std::string problem;               // why a node would refuse it; empty: it stands
};

struct TrustOptions {
  nix::SecretKey online_key;  // signs timestamps
  std::chrono::seconds timestamp_life = trust::default_timestamp_life;
  trust::Verifier::Clock clock = trust::now;
};

// The key in the file, which is made if it is missing (mode 0600). Throws Error.
nix::SecretKey read_or_make_online_key(const std::filesystem::path& file);

// Thread-safe. Several catalogs may share the databases: each notices what another has changed.
class TrustService {
 public:
  // The references must outlive it.
  TrustService(TrustRecords& trust, const NameFiles& name_files, TrustOptions options);
  ~TrustService();

  nix::PublicKey online_key() const { return options_.online_key.public_key(); }

  // What is said of a file that is not there.
  static Error missing(const std::string& owner, std::string_view file, std::optional<int64_t> version = {});
  // Files as they were put. Throw Error(not_found).
  std::string root(const std::string& owner, std::optional<int64_t> version = {}) const;
  std::string targets(const std::string& owner) const;
  // Puts the next version, of targets any later one, or any at all once the root's keys have not signed what
  // is there. Throw Error: invalid_input for what is no such file or of another owner, or a root that does
  // not name the online key; untrusted if it is not signed as it must be, or expired; conflict if it is not
  // the next version.
  void put_root(const std::string& owner, const std::string& text);
  void put_targets(const std::string& owner, const std::string& text);

  // Whether what is published for the owner must be signed.
  bool has_root(const std::string& owner) const;
  // What a publisher has signed of a build or a generation, ready to be recorded with it. Throw Error:
  // untrusted if a node would refuse it, invalid_input if it does not say what is published with it, conflict
  // if the owner is mirrored from another catalog.
  SignedBuilds check_build(const catalog::PackageBuild& build, const std::string& name_file) const;
  // The same of a package's version that is yanked for this reason, or no longer.
  SignedBuilds check_yank(const std::string& owner, const std::string& package, const std::string& version,
                          const std::optional<std::string>& reason, const std::string& name_file) const;
  // The same of a package of which builds are removed.
  SignedBuilds check_removal(const std::string& owner, const std::string& package,
                             const std::string& name_file) const;
  StoredNameFile check_generation(const std::string& owner, const std::string& environment,
                                  const Generation& generation, const std::string& name_file) const;

  // What goes with an answer about the name (packages/… or environments/…); of an environment in that
  // generation, or the latest. Without a name file if nothing of that name is signed; nothing if the owner
  // has no root or has signed no such generation.
  std::optional<trust::Evidence> evidence(const std::string& owner, const std::string& name,
                                          std::optional<int64_t> generation = {}) const;
  // The same of the packages (packages/…) that the owner has signed something of, by name: of one moment.
  std::map<std::string, trust::Evidence> evidence_of_packages(const std::string& owner,
                                                              const std::vector<std::string>& names) const;
  // All names of the owner at one time, with the timestamp over them: what a mirror needs
  // (trust/name_tree.h). Of those that are not `visible` the hash only. Throws Error(not_found).
  trust::NameTree names(const std::string& owner,
                        const std::function<bool(const std::string& name)>& visible) const;
  // Of the latest name file, or of that of an environment's generation; nothing if there is none. Writes
  // nothing. Throws Error if the records cannot be read.
  std::optional<Standing> standing(const std::string& owner, const std::string& name,
                                   std::optional<int64_t> version = {}) const;
  // Signs a timestamp over what was just published. Without it the next question for evidence does.
  void published(const std::string& owner) const;
  // When the first root.json and the first targets.json of all owners expire; nothing if there is none. Read
  // again after ten minutes; a warning in the log, once a day, names the owners whose files expire within
  // trust::renew_before.
  struct FirstExpiry {
    std::optional<trust::Time> root, targets;
  };
  FirstExpiry first_expiry();
  // Changes of name files so far: what was read between two equal numbers is of one moment.
  int64_t changes() const;

 private:
  struct OwnerState;
  // The owner's files as a node would accept them now. Throw Error.
  trust::Root current_root(const std::string& owner) const;
  trust::Targets current_targets(const std::string& owner) const;
  struct CheckedNameFile;
  CheckedNameFile check_name_file(const std::string& owner, const std::string& name,
                                  const std::string& text) const;
  // Of what is about to be recorded.
  CheckedNameFile check_new_name_file(const std::string& owner, const std::string& name,
                                      const std::string& text) const;
  std::shared_ptr<OwnerState> state_of(const std::string& owner) const;
  void refuse_mirrored(const std::string& owner) const;
  void bring_up_to_date(const std::string& owner, OwnerState& state) const;
  void take_mirrored(const std::string& owner, OwnerState& state) const;
  void sign_timestamp(const std::string& owner, OwnerState& state) const;

  TrustRecords& trust_;
  const NameFiles& name_files_;
  TrustOptions options_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::shared_ptr<OwnerState>> states_;

  std::mutex expiry_mutex_;
  FirstExpiry first_expiry_;
  trust::Time expiry_read_{}, expiry_warned_{};
};

}  // namespace flox::server
