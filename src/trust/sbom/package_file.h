// What a store path says of the packages that it was made from: its file nix-support/package.json
// (docs/formats/package.md). Environments link nothing below nix-support.
#pragma once  // Fuzzed by fuzz/package_file.cc.

#include <string>
#include <string_view>
#include <vector>

namespace flox::trust {

// The file's place in a store path, and the most bytes that it may have.
inline constexpr std::string_view package_file_place = "nix-support/package.json";
inline constexpr size_t max_package_file = 256 << 10;

struct PackageEntry {
  std::string name, version;  // 1 to 255 bytes of printable ASCII
  std::string purl;           // is_purl
  std::string license;        // is_license_expression; empty: unknown
  std::string source;         // the source package, as name; may be empty
  bool operator==(const PackageEntry&) const = default;
};

struct PackageFile {
  // The one that the store path is named after, then what was merged into its tree; 1 to 1,000.
  std::vector<PackageEntry> packages;

  // Throws Error(invalid_input) naming the member, also for members that the format does not have.
  static PackageFile parse(std::string_view text);
  std::string to_string() const;  // the one text of it
};

}  // namespace flox::trust
