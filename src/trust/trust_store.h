// Which owners are trusted on this machine, and what of theirs was seen.
//
//   TRUST_DIR/OWNER/root.json   the root that somebody has accepted: the anchor
//   TRUST_DIR/OWNER/packages    patterns of the packages that the owner may say, one per line
//   STATE_DIR/OWNER/anchors.json   the anchor that the directory belongs to, and those before it, by
//   fingerprint STATE_DIR/OWNER/root.json      the newest root that the anchor's chain has led to
//   STATE_DIR/OWNER/seen           "TIMESTAMP TARGETS": the versions of the two files that were seen
//   (read_note) STATE_DIR/OWNER/names/…        the version of each name's newest file that was seen
//   (read_note)
//
// Once the anchor is replaced by one of another chain, what was seen under the old one counts no more: a
// compromised key may have signed any version. All files are written whole or not at all; writers hold an
// flock on STATE_DIR/OWNER/lock, and to change the anchor on TRUST_DIR/lock before. Reading writes nothing,
// and refuses what others than this user and root could have written.
#pragma once  // Not fuzzed: the files are this user's own; the texts in them are read by trust/metadata.h.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trust/metadata.h"

namespace flox::trust {

// Versions; 0: none was seen.
struct Seen {
  uint64_t timestamp = 0;
  uint64_t targets = 0;
  bool operator==(const Seen&) const = default;
};

// Thread-safe. Calls with an owner throw Error(invalid_input) for what is no owner's name.
class TrustStore {
 public:
  // Neither directory need exist.
  TrustStore(std::filesystem::path trust_directory, std::filesystem::path state_directory);

  const std::filesystem::path& directory() const noexcept { return trust_directory_; }
  // Sorted. Empty where there is no directory.
  std::vector<std::string> owners() const;
  bool trusts(std::string_view owner) const;
  // Owners, sorted, whose patterns cover the package.
  std::vector<std::string> owners_of_package(std::string_view package) const;
  // Throws Error(untrusted) with advice if the owner is not trusted, or not for this package.
  void require_package(std::string_view owner, std::string_view package) const;

  // The root in force: the newest that the anchor's chain has led to. It was verified when it was kept; its
  // expiry is the caller's to look at. Throws Error(untrusted), with advice, if the owner is not trusted.
  Signed<Root> root(std::string_view owner) const;
  // Its version, or 0 if the owner is not trusted: the catalog is asked for the chain above it.
  uint64_t root_version(std::string_view owner) const;

  // All that verifying an answer about a name needs, in one reading. Throws Error(untrusted) as root() does.
  struct Known {
    Signed<Root> root;
    Seen seen;
    uint64_t name_version = 0;  // of the name's newest file that was seen; 0: none
  };
  Known known(std::string_view owner, std::string_view name) const;

  // Installs the anchor. A root that is there may be replaced by one of its chain that is not older: `chain`
  // has the roots from there up to, and with, the new one. Throws Error: untrusted if the new one is not
  // signed by its own keys, conflict if what is there is newer or if the chain does not lead from it to the
  // new one. `packages` are patterns; without any, those that are there stay, or "*".
  void accept(std::string_view owner, const std::vector<std::string>& chain,
              const std::vector<std::string>& packages = {});
  std::vector<std::string> package_patterns(std::string_view owner) const;

  // Follows the chain of roots that stands above the one in force, each signed by the keys of the one before
  // and by its own; the last must not have expired. Gives the root that is in force then, which is kept
  // unless `keep` is false. Throws Error(untrusted).
  Signed<Root> update_root(std::string_view owner, const std::vector<std::string>& chain, Time now,
                           bool keep = true);

  Seen seen(std::string_view owner) const;
  // What is lower than what was seen already is left as it is: of two that race the higher one stays. `root`
  // is the version of the root by which it was verified: what is of one that is not in force any more is not
  // written down, for the newer root may just have made versions count no more (seen_after).
  void remember(std::string_view owner, uint64_t root, const Seen& seen, std::string_view name,
                uint64_t name_version);

 private:
  std::filesystem::path trust_directory_, state_directory_;
};

// What was seen, once the root has changed: of a role with other keys nothing counts any more, since whoever
// had the old ones may have signed a version that nobody reaches (TUF's recovery from a fast-forward attack).
Seen seen_after(Seen seen, const Root& before, const Root& after);
// Whether the versions of names that were seen count no more, either: it is the timestamp that says which is
// the newest, so whoever had its old key, and a publisher's, may have shown one that nobody reaches.
bool forgets_names(const Root& before, const Root& after);
// The fingerprint by which people compare a root: SHA-256, in hexadecimal, of its canonical `signed`.
std::string fingerprint_of(const Signed<Root>& root);
// Verifies that `next` follows `current`: the version is one more, the owner the same, and a threshold of
// each one's root keys has signed it. Throws Error(untrusted).
void require_next_root(const Signed<Root>& current, const Signed<Root>& next);

}  // namespace flox::trust
