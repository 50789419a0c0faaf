// From a manifest to its lock: what is kept of the lock before, and what is resolved.
#pragma once  // Not fuzzed: manifests and locks come parsed (env/manifest.h, env/lockfile.h).

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "env/compose.h"
#include "env/lockfile.h"
#include "env/manifest.h"

namespace flox::env {

// One package for one system.
struct PackageQuestion {
  std::string install_id;
  InstallDescriptor descriptor;
  std::string system;
};

// Names to store paths. The laptop asks the catalog; a pod asks floxd.
class Resolver {
 public:
  virtual ~Resolver() = default;
  // Best match for the descriptor on this system (and this CPU). Throws Error(not_found) naming what is
  // unknown (with the closest names or the versions there are as advice), unavailable if nobody answers.
  virtual LockedPackage resolve(std::string_view install_id, const InstallDescriptor& descriptor,
                                std::string_view system) = 0;
  // The same for many, in their order: the package, or the Error that resolve() throws for it, not_found or
  // invalid_input (its version is no constraint). Throws whatever else resolve() throws for the first of
  // them. Whoever can answer many at once overrides it.
  using Answer = std::variant<LockedPackage, Error>;
  virtual std::vector<Answer> resolve_all(std::span<const PackageQuestion> questions);
  // The lock of an environment of the catalog (OWNER/NAME, the latest generation unless one is given), which
  // [include] names. By default there is no catalog to ask: Error(invalid_input), with advice.
  virtual Lockfile included(const std::string& reference, std::optional<int64_t> generation);
  // The systems of an environment whose manifest names none.
  virtual std::vector<std::string> systems() const { return default_systems(); }
};

// Whether the lock was made for this manifest. Tables and lists that are empty do not count: Flox writes some
// into locks. Of an environment with [include], the manifest that includes is compared.
bool locks(const Lockfile& lock, const Manifest& manifest);

struct LockRequest {
  const Manifest& wanted;
  // What the environment has now. Packages whose descriptors stay, stay as they are locked, for every system.
  const std::optional<Lockfile>& old_lock;
  const std::optional<Manifest>& old_manifest;
  // What is to be resolved anew though it is locked; by default nothing.
  std::function<bool(const std::string& install_id)> anew;
  // Resolve for this system only, and leave out what is not locked for others: for those who write no lock.
  std::string only_system;
  // What directories in [include] are relative to: the one that holds .flox.
  std::filesystem::path directory;
  // Which included environments are read again though they are locked, by name; by default none.
  std::function<bool(const std::string& name)> include_anew;
  // Somebody has written what is new in [install], and reads errors with its place. Otherwise a command is
  // just adding it, and the place is in a text that nobody sees.
  bool is_typed = false;
};

// The lock for the wanted manifest. Members that this project does not know stay as they were. What [include]
// names and is locked stays as it is; what is new there is read. Without options.systems (and systems of its
// own) a package is locked for those of resolver.systems() that have it, of which there must be one. Throws
// Error: not_found, also if a system that the manifest names has no such package; invalid_input for flakes,
// which only Nix can lock, with their place, for what [include] names and cannot be included, and, unless it
// is for one system only, for what refuse_references() refuses (env/references.h); what `resolver` throws.
Lockfile make_lock(const LockRequest& request, Resolver& resolver);
// Its manifest: with [include], what the wanted one comes to with those that it names. Asks for no packages.
nlohmann::json merged_manifest(const LockRequest& request, Resolver& resolver);

// The systems that the manifest has the package locked for (those of the descriptor, or of the manifest), and
// of these the ones for which there is such a package. Throws what `resolver` throws, not_found only if no
// system has it.
struct PackageSystems {
  std::vector<std::string> wanted, found;
};
PackageSystems systems_of_package(std::string_view install_id, const InstallDescriptor& descriptor,
                                  const Manifest& manifest, Resolver& resolver);

}  // namespace flox::env
