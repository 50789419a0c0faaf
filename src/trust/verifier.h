// Whether a catalog's answer is what its owner has signed.
//
// In this order: the chain of roots from the one that is trusted here; targets.json; timestamp.json
// (signature, expiry, not older than what was seen); the proof that the name is in the timestamp's tree; the
// name's file (signed by a threshold of a role whose pattern covers the name, not expired, not older than
// what was seen); then that the answer is what that file says.
#pragma once  // Fuzzed by fuzz/signed_metadata.cc.

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "trust/merkle.h"
#include "trust/metadata.h"
#include "trust/trust_store.h"

namespace flox::trust {

// What a catalog sends with an answer. The texts are files as the catalog keeps them, byte by byte.
struct Evidence {
  std::string owner;
  std::vector<std::string> roots;  // root.json of the versions above the client's, ascending; usually none
  std::string targets;
  std::string timestamp;
  std::string proof;  // of the name's newest file, also with an older generation of an environment
  std::string name_file;

  nlohmann::json to_json() const;
  // Checks the members' types and sizes only, at most 64 roots. Throws Error(invalid_input).
  static Evidence from_json(const nlohmann::json& json);
};

// What one build of a package resolves to.
struct PackageRecord {
  std::string name, version, system;
  std::string variant;                         // empty: any CPU
  std::map<std::string, std::string> outputs;  // "out" → /nix/store/…

  // VERSION/SYSTEM/VARIANT, "any" for no variant.
  std::string target_path() const;
  // Canonical JSON of all five: what length and hash of the target are of.
  std::string canonical() const;
  // The target for it.
  Target to_target() const;
};

// One generation of an environment.
struct EnvironmentRecord {
  std::string owner, name;
  uint64_t generation = 0;
  std::string manifest, lock;  // the texts that were signed, byte by byte
  bool latest = true;          // whether the newest was asked for, or this generation by its number

  std::map<std::string, Target> to_targets() const;  // manifest.toml, manifest.lock
};

struct SignerName {
  std::string keyid;
  std::string name;  // as the metadata has it; may be empty
};

// Who says so.
struct Provenance {
  std::string owner;
  std::string name;                 // "packages/hello"
  uint64_t version = 0;             // of the name's file
  std::string role;                 // the delegated role
  std::vector<SignerName> signers;  // at least the role's threshold
  Time expires;                     // of what expires first: timestamp, targets or the name's file
  std::optional<std::string>
      yanked;  // the reason: whoever asked for this very version gets it with a warning

  // "packages/hello version 3, signed by alice-1 (role packages of acme)". One printable line.
  std::string to_string() const;
};

// What was verified on this machine before and was kept, to be used again while the catalog is away.
struct KeptEvidence {
  std::string owner;
  std::string targets;    // the newest targets.json of the owner that was verified here
  std::string name_file;  // what the answer was verified by
  std::string newest;     // the newest file of the name that was verified here; empty: none but name_file
};

// A package's file, verified.
struct VerifiedPackage {
  NameFile file;
  Provenance provenance;
  std::optional<NameFile> newest = {};  // of kept evidence: a newer file of the package that is known here

  // Whose a build of the package is, with `yanked` as the newest file says. Throws Error(untrusted) unless
  // the record is exactly what each of the files says.
  Provenance of(const PackageRecord& record) const;
};

// The owner's root.json of that version, as the catalog has it; nothing if it has none.
using RootSource = std::function<std::optional<std::string>(const std::string& owner, uint64_t version)>;
// Those above `root`, ascending, up to the one that the timestamp of that text names: at most 64. Nothing is
// verified. Throws Error(invalid_input) for what is no timestamp.
std::vector<std::string> roots_above(const std::string& owner, uint64_t root, const std::string& timestamp,
                                     const RootSource& source);

// What stands above all names of an owner, verified.
struct VerifiedOwner {
  Root root;  // in force
  Targets targets;
  Timestamp timestamp;
};

// Thread-safe. Files that were verified once are remembered by their hash for the object's life, so that of
// an answer only what is new costs signatures. Every call throws Error(untrusted) that names what failed and,
// where somebody can do something about it, says what; unavailable if the catalog's evidence lacks roots that
// its timestamp names; invalid_input for what is no metadata.
class Verifier {
 public:
  using Clock = std::function<Time()>;
  // The store must outlive it. With `remember` false, the versions that were seen and newer roots are not
  // written down: for commands that only read. With a source of roots, newer ones come from there, and those
  // of the evidence are not looked at.
  explicit Verifier(TrustStore& store, Clock clock = now, bool remember = true, RootSource roots = {});
  ~Verifier();

  // For whoever signs the next version of a name: its newest file, and of that the version alone, which
  // counts also where the file's own signatures count no more. Whether the owner is trusted for the package
  // is not looked at.
  VerifiedPackage verify_name(const Evidence& evidence, const std::string& name);
  uint64_t newest_version(const Evidence& evidence, const std::string& name);
  // The first half of each verification, whatever the name: for whoever tells whether it would succeed.
  VerifiedOwner verify_owner(const Evidence& evidence);
  // The whole file of a package, for who chooses among its builds.
  VerifiedPackage verify_package_file(const Evidence& evidence, std::string_view package);
  // The same for one build of it (VerifiedPackage::of). The owner is the evidence's, who must be trusted for
  // the package.
  Provenance verify_package(const Evidence& evidence, const PackageRecord& record);
  // That the environment is exactly what its file says; the evidence must be of its owner.
  Provenance verify_environment(const Evidence& evidence, const EnvironmentRecord& record);

  // The same of what was verified here before. The owner must still be trusted, targets.json signed by the
  // root that is in force now, and the name's file by the keys that this targets.json names: what only a
  // revoked key has signed is refused. No expiry is looked at, and no timestamp: whether there is something
  // newer only the catalog knows. Nothing is written down.
  VerifiedPackage verify_kept_package_file(const KeptEvidence& kept, std::string_view package);
  Provenance verify_kept_environment(const KeptEvidence& kept, const EnvironmentRecord& record);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox::trust
