#include "package/debian/import_deb.h"

#include <ctime>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/printable.h"
#include "package/debian/control.h"
#include "package/debian/import_rules.h"
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

void check_programs(const ImportedPackage& package) {
  if (!package.programs || package.programs->empty()) return;
  std::vector<std::string> broken;
  bool any = false;
  for (const SmokeResult& result : *package.programs) {
    any = any || result.verdict == SmokeResult::Verdict::ran;
    if (result.verdict == SmokeResult::Verdict::did_not_run && broken.size() < 10)
      broken.push_back(fmt::format("{} ({})", result.program, result.detail));
  }
  if (any && broken.empty()) return;
  if (broken.empty()) broken.push_back("every one of them misses something");
  throw Error(ErrorKind::invalid_input,
              fmt::format("programs of {} do not run in an empty root: {}", package.build.name,
                          fmt::join(broken, "; ")),
              "Look at them where only the store is; --allow-broken publishes it as it is.");
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
    add_root(store, name, path);
    const DebianPackage& package = debian.package(name);
    ImportedPackage imported;
    imported.build.name = name;
    imported.build.version = store_version(package.version);
    imported.build.system = system_of_this_machine();
    imported.build.description = package.description;
    imported.build.license = recorded_license(recorded_packages(store, path).front());
    imported.build.outputs.emplace("out", path);
    imported.build.closure_size = store.closure_size(store.closure({path}));
    imported.from_installed = debian.all_from_installed();
    if (options.run_programs) imported.programs = smoke_run(store, path, ImportRules::built_in().failures);
    if (options.with_provenance) {
      std::vector<trust::PackageEntry> entries;
      for (const std::string& member : importer.members(name))
        entries.push_back(entry_of(debian.package(member), ""));
      imported.provenance = describe_import(store, debian, imported.build, entries, started_at);
      if (imported.programs)
        for (const SmokeResult& program : *imported.programs)
          if (imported.provenance->programs.size() < trust::BuildProvenance::most_programs)
            imported.provenance->programs.emplace(
                program.program, fmt::format("{}{}{}", to_string(program.verdict),
                                             program.detail.empty() ? "" : ": ", program.detail));
    }
    result.push_back(std::move(imported));
  }
  return result;
}

}  // namespace flox::package
