#include "package/debian/import_deb.h"

#include <ctime>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "package/debian/importer.h"
#include "package/debian/provenance.h"
#include "trust/sbom/package_file.h"

namespace flox::package {
namespace {

// Replaced as a whole, so that two imports at once leave one of both.
void add_root(const store::LocalStore& store, const std::string& name, const nix::StorePath& path) {
  fs::path roots = store.state_directory() / "gcroots/flox-imports";
  fs::create_directories(roots);
  TempDir work(".new-", roots);
  fs::create_symlink(path.to_string(), work.path() / "link");
  fs::rename(work.path() / "link", roots / name);
}

// What the import wrote into the path: the Debian packages that it consists of, the named one first.
std::vector<trust::PackageEntry> recorded_packages(const store::LocalStore& store,
                                                   const nix::StorePath& path) {
  const Directory files(store.real_path(path));
  return trust::PackageFile::parse(files.read_file(trust::package_file_place, trust::max_package_file))
      .packages;
}

// A licence that is too long for a record of the catalog is left out.
std::string recorded_license(const trust::PackageEntry& package) {
  constexpr size_t longest = 255;  // bytes (catalog/model.h)
  return package.license.size() <= longest ? package.license : "";
}

}  // namespace

std::string system_of_this_machine() {
#if defined(__x86_64__)
  return "x86_64-linux";
#elif defined(__aarch64__)
  return "aarch64-linux";
#else
#error "only x86_64 and aarch64 are supported"
#endif
}

std::vector<ImportedPackage> import_deb(store::LocalStore& store, const std::vector<std::string>& names,
                                        const DebianOptions& options, bool with_provenance) {
  Debian debian(options);
  debian.load({names.begin(), names.end()});
  for (const auto& name : names) debian.package(name);
  Importer importer(store, debian);
  std::vector<ImportedPackage> result;
  for (const auto& name : names) {
    const std::time_t started_at = std::time(nullptr);
    nix::StorePath path = importer.package(name);
    add_root(store, name, path);
    const DebianPackage& package = debian.package(name);
    ImportedPackage imported;
    imported.build.name = name;
    imported.build.version = upstream_version(package.version);
    imported.build.system = system_of_this_machine();
    imported.build.description = package.description;
    const auto packages = recorded_packages(store, path);
    imported.build.license = recorded_license(packages.front());
    imported.build.outputs.emplace("out", path);
    imported.build.closure_size = store.closure_size(store.closure({path}));
    imported.from_installed = debian.all_from_installed();
    if (with_provenance)
      imported.provenance = describe_import(store, debian, imported.build, packages, started_at);
    result.push_back(std::move(imported));
  }
  return result;
}

}  // namespace flox::package
