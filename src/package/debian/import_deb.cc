#include "package/debian/import_deb.h"

#include <ctime>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/printable.h"
#include "package/debian/control.h"
#include "package/debian/import_rules.h"
#include "package/debian/importer.h"
#include "package/debian/provenance.h"
#include "trust/sbom/package_file.h"

namespace flox::package {
namespace {

// What the import wrote into the path: the Debian packages that it consists of, the named one first.
std::vector<trust::PackageEntry> recorded_packages(const store::LocalStore& store,
                                                   const nix::StorePath& path) {
  const Directory files(store.real_path(path));
  return trust::PackageFile::parse(files.read_file(trust::package_file_place, trust::max_package_file))
      .packages;
}

}  // namespace

WantedPackage WantedPackage::parse(std::string_view text) {
  const size_t equals = text.find('=');
  WantedPackage wanted{.name = std::string(text.substr(0, equals)), .version = {}};
  if (equals == std::string_view::npos) return wanted;
  wanted.version = text.substr(equals + 1);
  if (wanted.version.empty())
    throw Error(ErrorKind::invalid_input, fmt::format("'{}' names no version", printable(text)),
                "Write NAME=VERSION, or NAME alone.");
  return wanted;
}

std::vector<ImportedPackage> import_deb(store::LocalStore& store, const std::vector<WantedPackage>& wanted,
                                        const ImportOptions& options) {
  Debian debian(options.debian);
  std::set<std::string> names;
  for (const auto& one : wanted) names.insert(one.name);
  debian.load(names);
  for (const auto& one : wanted)
    if (one.version.empty())
      debian.package(one.name);
    else
      debian.want(one.name, one.version);
  Importer importer(store, debian);
  std::vector<ImportedPackage> result;
  for (const auto& one : wanted) {
    const std::string& name = one.name;
    const std::time_t started_at = std::time(nullptr);
    nix::StorePath path = importer.package(name);
    const DebianPackage& package = debian.package(name);
    catalog::PackageBuild build;
    build.name = name;
    build.version = store_version(package.version);
    build.description = package.description;
    build.license = recorded_packages(store, path).front().license;
    ImportedPackage imported = importer.imported(std::move(build), path, name, options.run_programs);
    if (options.with_provenance) {
      std::vector<trust::PackageEntry> entries;
      for (const std::string& member : importer.members(name))
        entries.push_back(entry_of(debian.package(member), ""));
      imported.provenance = describe_import(store, debian, imported.build, entries, started_at);
      record_programs(imported);
    }
    result.push_back(std::move(imported));
  }
  return result;
}

}  // namespace flox::package
