// Which owners are trusted on this machine, and what of theirs was seen.
//
//   TRUST_DIR/OWNER/root.json    the root that somebody has accepted: the anchor
//   TRUST_DIR/OWNER/packages     patterns of the packages that the owner may say, one a line
//   STATE_DIR/OWNER/anchor       SHA-256 of the anchor that the rest of the directory belongs to
//   STATE_DIR/OWNER/root.json    the newest root that the anchor's chain has led to
//   STATE_DIR/OWNER/seen         versions of timestamp.json and targets.json
//   STATE_DIR/OWNER/names/…      the version of each name's newest file that was seen
//
// Once the anchor is replaced, what was seen under the old one counts no more (a compromised key may have
// signed any version). All files are written whole or not at all; writers hold an flock on
// STATE_DIR/OWNER/lock, or, to change the anchor, on TRUST_DIR/lock. Reading writes nothing.
#pragma once

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

  // The root in force: the newest that the anchor's chain has led to. Its own signatures are verified; its
  // expiry is the caller's to look at. Throws Error(untrusted), with advice, if the owner is not trusted.
  Signed<Root> root(std::string_view owner) const;
  // Its version, or 0 if the owner is not trusted: the catalog is asked for the chain above it.
  uint64_t root_version(std::string_view owner) const;

  // Installs the anchor. A root that is there may be replaced by one of its chain that is not older: `chain`
  // has the roots from there up to, and with, the new one. Throws Error: untrusted if the new one is not
  // signed by its own keys, conflict if what is there is newer or if the chain does not lead from it to the
  // new one. `packages` are patterns; without any, those that are there stay, or "*".
  void accept(std::string_view owner, const std::vector<std::string>& chain,
              const std::vector<std::string>& packages = {});
  // Removes anchor and state. False if the owner was not trusted.
  bool forget(std::string_view owner);
  std::vector<std::string> package_patterns(std::string_view owner) const;

  // Follows the chain of roots that stands above the one in force, each signed by the keys of the one before
  // and by its own; the last must not have expired. Gives the root that is in force then, which is kept
  // unless `keep` is false. Throws Error(untrusted).
  Signed<Root> update_root(std::string_view owner, const std::vector<std::string>& chain, Time now,
                           bool keep = true);

  Seen seen(std::string_view owner) const;
  uint64_t seen_name(std::string_view owner, std::string_view name) const;
  // What is lower than what was seen already is left as it is: of two that race the higher one stays.
  void remember(std::string_view owner, const Seen& seen, std::string_view name, uint64_t name_version);

 private:
  std::filesystem::path trust_directory_, state_directory_;
};

// The fingerprint by which people compare a root: SHA-256, in hexadecimal, of its canonical `signed`.
std::string fingerprint_of(const Signed<Root>& root);
// Verifies that `next` follows `current`: the version is one more, the owner the same, and a threshold of
// each one's root keys has signed it. Throws Error(untrusted).
void require_next_root(const Signed<Root>& current, const Signed<Root>& next);

}  // namespace flox::trust
