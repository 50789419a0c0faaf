// What the catalog knows: packages, their versions, and the store paths that each is on each system.
#pragma once  // Fuzzed by fuzz/package_build.cc and fuzz/version.cc.

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nix/store_path.h"
#include "trust/verifier.h"

namespace flox::catalog {

// One published build: a row of the catalog.
struct PackageBuild {
  std::string name;   // attr_path, [A-Za-z0-9._+-]{1,128}
  std::string owner;  // who signs what it is (docs/explanation/provenance.md); empty: nobody
  std::string version;
  std::string system;       // x86_64-linux, aarch64-linux
  std::string variant;      // microarchitecture level (x86-64-v3, …) or empty: any CPU; up to 64 bytes
  std::string description;  // up to 4 KiB of anybody's text: print it with printable()
  std::string license;      // up to 256 bytes, likewise
  std::map<std::string, nix::StorePath> outputs;  // "out" → path; up to 64
  std::string signer;         // name of the key that signed its narinfos, up to 256 bytes of anybody's text
  uint64_t closure_size = 0;  // bytes, uncompressed
  std::string published_at;   // RFC 3339, UTC; set by the server
  // Why the version should not be chosen any more: up to 1 KiB of anybody's text. Of a package with an owner
  // its name file says so, and what a catalog says counts for nothing.
  std::optional<std::string> yanked = std::nullopt;

  nlohmann::json to_json() const;
  static PackageBuild from_json(const nlohmann::json& json);  // throws Error(invalid_input) naming the member
};

// What an owner signs of a build.
trust::PackageRecord record_of(const PackageBuild& build);

// Natural version order: "1.10" > "1.9", "1.0" > "1.0-rc1", "1.1.1w" > "1.1.1", "1.0-1+deb12u2" > "1.0-1",
// and as dpkg has it, "1.0~x" < "1.0". A total order, except that separators do not count ("1.0" and "1-0"
// are equal).
int compare_versions(std::string_view a, std::string_view b);
// "1.0-rc1", "2.0b3", "1.0~git5": leads up to a release.
bool is_pre_release(std::string_view version);
// Does `version` satisfy a constraint: empty or "*" (any), exact, partial ("1.2", "1.2.*" and "1.2.x"
// admit 1.2.3), or with ^, ~, >=, >, <=, <, = before it; several, with commas or spaces between, must all be
// met, at most 16. Throws Error(invalid_input) for a constraint that cannot be read.
bool satisfies(std::string_view version, std::string_view constraint);

// A constraint that many versions are compared with: read once.
class VersionConstraint {
 public:
  explicit VersionConstraint(std::string_view text);  // throws as satisfies() does
  bool admits(std::string_view version) const;
  size_t size() const noexcept { return comparators_.size(); }  // conditions that must all be met
  // Whether it is just this version: "1.0", "=1.0".
  bool names(std::string_view version) const;

 private:
  struct Comparator {
    std::string operation;  // empty: exact or partial
    std::string version;
    bool admits(std::string_view version) const;
  };
  std::vector<Comparator> comparators_;
};

}  // namespace flox::catalog
