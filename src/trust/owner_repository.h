// An owner's root.json and targets.json as the holders of its keys keep and change them, below the trust
// directory:
//
//   OWNER/keys/NAME                     secret keys, mode 0600, in a directory of mode 0700
//   OWNER/repository/N.root.json        every version of the root
//   OWNER/repository/N.targets.json     of targets; that one counts which is the newest that the newest
//   root's keys signed OWNER/repository/pending/N.….json   the next versions, if they still lack signatures
//   OWNER/lock                          held by whoever changes one of these
//
// A change is begun by one rename, which puts both of its files into `pending`. Once they have all their
// signatures they count, and whoever changes something next moves those that are still there: so a change
// that is ended anywhere is begun as a whole or not at all. While one waits for signatures no other is begun.
#pragma once  // Not fuzzed: it reads this user's own files; the texts in them are read by trust/metadata.h.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/os/file.h"
#include "trust/metadata.h"
#include "trust/signer.h"
#include "trust/signing_state.h"
#include "trust/trust_store.h"

namespace flox::trust {

// A change that was written: complete, or waiting for signatures in OWNER/repository/pending.
struct ChangeOutcome {
  bool complete = false;
  std::vector<SigningState> files;
};

// One thread at a time. The store must outlive it.
class OwnerRepository {
 public:
  enum class Use { read, change };  // to change, the lock is held for the object's life
  // Throws Error(not_found), with advice, if nothing was begun for the owner here.
  OwnerRepository(TrustStore& store, std::string owner, Use use);

  // Begins a repository with version 1 of both files, which are signed by whom can: a directory that appears
  // as a whole. `keys` are written to OWNER/keys. Throws Error(conflict) if the owner has a directory here.
  static ChangeOutcome create(TrustStore& store, Root root, Targets targets,
                              const std::vector<nix::SecretKey>& keys, const Signers& signers);
  static bool exists(const TrustStore& store, const std::string& owner);

  const std::string& owner() const noexcept { return owner_; }
  const std::filesystem::path& directory() const noexcept { return directory_; }
  // All versions, ascending. Empty while version 1 waits for signatures.
  const std::vector<Signed<Root>>& roots() const noexcept { return roots_; }
  // The newest; of targets, the newest that counts. Throw Error(conflict) while version 1 waits for
  // signatures.
  const Signed<Root>& root() const;
  const Signed<Targets>& targets() const;
  // What waits for signatures; empty: nothing.
  std::vector<SigningState> pending() const;
  // The root whose keys sign targets.json next: the one that waits, or the newest.
  const Root& next_root() const { return root_for(pending_).content; }
  // Throws Error(conflict), saying what to do, if a change waits.
  void require_no_pending() const;

  // The secret keys that are kept here.
  Signers kept_signers() const;
  // Writes a key to OWNER/keys under its name; it is on the disk when this returns. Throws Error(conflict) if
  // there is one.
  void keep(const nix::SecretKey& key);
  // Removes a kept key, after a change that failed, unless a file that counts or waits names it.
  void discard_unless_named(const nix::PublicKey& key) noexcept;
  // "root-2": a name that no key here has.
  std::string free_key_name(std::string_view role) const;

  // The next version of one file or of both, whose version numbers are set here. Signed by whom can of
  // `signers`.
  ChangeOutcome change(std::optional<Root> root, std::optional<Targets> targets, const Signers& signers);
  // Takes over the signatures of a copy of a file that waits, and completes the change if that was the last
  // one. Throws Error(not_found) if no such file waits here.
  ChangeOutcome add_signatures_of(const Signed<Root>& copy);
  ChangeOutcome add_signatures_of(const Signed<Targets>& copy);

 private:
  struct Pending {
    std::optional<Signed<Root>> root;
    std::optional<Signed<Targets>> targets;
  };
  OwnerRepository(TrustStore& store, std::string owner, std::filesystem::path directory);

  void read();
  void read_pending();
  void finish();  // moves what counts already from `pending`
  void begin(const Pending& change);
  ChangeOutcome outcome_of(const Pending& change);
  void require_change() const;
  const Signed<Root>* root_before(const Signed<Root>& root) const;
  const Signed<Root>& root_for(const Pending& pending) const;
  std::vector<SigningState> states_of(const Pending& pending) const;

  TrustStore& store_;
  std::string owner_;
  std::filesystem::path directory_;
  std::optional<FileLock> lock_;
  std::vector<Signed<Root>> roots_;
  std::optional<Signed<Targets>> targets_;
  Pending pending_;
  Pending committed_;  // complete, and still in `pending`
};

}  // namespace flox::trust
