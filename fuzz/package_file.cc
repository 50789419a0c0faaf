// nix-support/package.json, which comes with a store path, and the licences in it.
#include "trust/sbom/package_file.h"

#include "fuzz.h"
#include "trust/sbom/license.h"
#include "trust/sbom/purl.h"

namespace flox::fuzz::of_package_file {

void one(std::string_view input) {
  if (trust::is_license_expression(input)) {
    require(trust::is_license_expression(std::string("(") + std::string(input) + ") AND MIT") ||
                input.size() + 10 > trust::longest_license || input.starts_with("(("),
            "an expression can be part of another one");
    require(input.find_first_of("\n\t\"\\") == std::string_view::npos, "an expression is one plain line");
  }
  trust::PackageFile file;
  if (!accepts([&] { file = trust::PackageFile::parse(input); })) return;
  const std::string text = file.to_string();
  require(trust::PackageFile::parse(text).packages == file.packages,
          "a file that was read is written as it was");
  for (const trust::PackageEntry& package : file.packages) {
    require(!package.name.empty() && !package.version.empty(), "a package has a name and a version");
    require(trust::is_purl(package.purl), "a package has a package URL");
    require(package.license.empty() || trust::is_license_expression(package.license),
            "a licence is an expression");
  }
}

}  // namespace flox::fuzz::of_package_file
