#include "package/debian/import_deb.h"

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "package/debian/importer.h"
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

// The licence that the import wrote into the path, unless it is too long for a record of the catalog.
std::string recorded_license(const store::LocalStore& store, const nix::StorePath& path) {
  constexpr size_t longest = 255;  // bytes (catalog/model.h)
  const Directory files(store.real_path(path));
  const auto packages =
      trust::PackageFile::parse(files.read_file(trust::package_file_place, trust::max_package_file)).packages;
  return packages.front().license.size() <= longest ? packages.front().license : "";
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
                                        const DebianOptions& options) {
  Debian debian(options);
  debian.load({names.begin(), names.end()});
  for (const auto& name : names) debian.package(name);
  Importer importer(store, debian);
  std::vector<ImportedPackage> result;
  for (const auto& name : names) {
    nix::StorePath path = importer.package(name);
    add_root(store, name, path);
    const DebianPackage& package = debian.package(name);
    ImportedPackage imported;
    imported.build.name = name;
    imported.build.version = upstream_version(package.version);
    imported.build.system = system_of_this_machine();
    imported.build.description = package.description;
    imported.build.license = recorded_license(store, path);
    imported.build.outputs.emplace("out", path);
    imported.build.closure_size = store.closure_size(store.closure({path}));
    imported.from_installed = debian.all_from_installed();
    result.push_back(std::move(imported));
  }
  return result;
}

}  // namespace flox::package
