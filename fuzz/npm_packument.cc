// What a registry of npm says of a package, and package.json.
#include "fuzz.h"
#include "package/npm/packument.h"

namespace flox::fuzz::of_npm_packument {

void one(std::string_view input) {
  const std::string text(input);
  accepts([&] {
    for (const auto& release : package::Packument::parse(text, "a").releases) {
      require(release.tarball.starts_with("http"), "a tarball is at a URL of HTTP");
      require(release.integrity.algorithm == nix::HashAlgorithm::sha512, "a release has a SHA-512");
      for (const auto& [name, spec] : release.dependencies)
        require(package::is_npm_name(name), "a name is one");
      package::runs_here(release, "x64");
    }
  });
  accepts([&] {
    const auto manifest = package::NpmManifest::parse(text);
    for (const auto& [program, place] : manifest.bin) {
      require(program.find('/') == std::string::npos && program != "..", "a program is a file");
      require(!place.starts_with('/') && !place.starts_with(".."), "its file is in the package");
    }
  });
}

}  // namespace flox::fuzz::of_npm_packument
