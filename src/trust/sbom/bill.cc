#include "trust/sbom/bill.h"

#include <algorithm>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os/directory.h"
#include "base/printable.h"
#include "trust/sbom/license.h"
#include "trust/sbom/purl.h"

namespace flox::trust {
namespace {

constexpr size_t longest_name = 255;  // bytes of a name or a version

// "web-1.0" → "web", "1.0".
std::pair<std::string, std::string> split_name(std::string_view name) {
  for (size_t dash = name.find('-'); dash != std::string_view::npos; dash = name.find('-', dash + 1))
    if (dash > 0 && dash + 1 < name.size() && name[dash + 1] >= '0' && name[dash + 1] <= '9')
      return {std::string(name.substr(0, dash)), std::string(name.substr(dash + 1))};
  return {std::string(name), {}};
}

PackageEntry from_name(const nix::StorePath& path) {
  auto [name, version] = split_name(path.name());
  std::string purl = store_path_purl(name, version, path.base_name());
  return {.name = std::move(name), .version = std::move(version), .purl = std::move(purl)};
}

Component component_of(nix::PathInfo info) {
  Component component{.path = info.path, .nar_hash = info.nar_hash, .nar_size = info.nar_size};
  component.references = std::move(info.references);
  component.references.erase(component.path);
  return component;
}

PackageEntry declared_or_named(const nix::StorePath& path, const DeclaredPackages& declared) {
  const auto known = declared.find(path);
  return known != declared.end() ? known->second : from_name(path);
}

// Nothing if the path has none, or if it is warned of.
std::vector<PackageEntry> read_package_file(const Directory& store, const nix::StorePath& path) {
  const std::string place = path.base_name() + "/" + std::string(package_file_place);
  try {
    if (!store.status(place)) return {};
    return PackageFile::parse(store.read_file(place, max_package_file)).packages;
  } catch (const Error& error) {
    log::warning("{}: {}: the bill of materials has its name and version by the store path only",
                 path.to_string(), printable(error.what()));
    return {};
  }
}

}  // namespace

DeclaredPackages packages_of(const env::Lockfile& lock, std::string_view system) {
  DeclaredPackages result;
  for (const env::LockedPackage& package : lock.for_system(system))
    for (const auto& path : package.store_paths()) {
      PackageEntry entry = from_name(path);
      const std::string name =
          printable(package.attr_path.empty() ? entry.name : package.attr_path, longest_name);
      const std::string version = printable(package.version, longest_name);
      if (!version.empty()) {
        entry.name = name;
        entry.version = version;
        entry.purl = store_path_purl(name, version, path.base_name());
      }
      if (const auto license = package.json.find("license");
          license != package.json.end() && license->is_string() &&
          is_license_expression(license->get_ref<const std::string&>()))
        entry.license = license->get<std::string>();
      result.emplace(path, std::move(entry));
    }
  return result;
}

Bill bill_of(const store::LocalStore& store, std::string name, const nix::StorePathSet& roots,
             const DeclaredPackages& declared) {
  Bill bill{.name = printable(name, longest_name), .roots = roots, .components = {}};
  const nix::StorePathSet closure = store.closure(roots);
  const Directory files(store.store_directory());
  bill.components.reserve(closure.size());
  for (const nix::StorePath& path : closure) {
    auto info = store.query(path);
    if (!info) fail(ErrorKind::not_found, "{} has been collected meanwhile", path.to_string());
    Component component = component_of(std::move(*info));
    std::vector<PackageEntry> packages = read_package_file(files, path);
    if (!packages.empty()) {
      component.package = std::move(packages.front());
      component.merged.assign(std::make_move_iterator(packages.begin() + 1),
                              std::make_move_iterator(packages.end()));
    } else {
      component.package = declared_or_named(path, declared);
    }
    bill.components.push_back(std::move(component));
  }
  return bill;
}

Bill bill_of(std::string name, const nix::StorePathSet& roots, std::vector<nix::PathInfo> closure,
             const DeclaredPackages& declared) {
  Bill bill{.name = printable(name, longest_name), .roots = roots, .components = {}};
  std::ranges::sort(closure, {}, &nix::PathInfo::path);
  bill.components.reserve(closure.size());
  for (nix::PathInfo& info : closure) {
    Component component = component_of(std::move(info));
    component.package = declared_or_named(component.path, declared);
    bill.components.push_back(std::move(component));
  }
  return bill;
}

std::string document_uuid(const Bill& bill, std::string_view created) {
  Sha256 hash;
  auto add = [&](std::string_view text) {
    hash.update(text);
    hash.update(std::string_view("\0", 1));
  };
  auto add_package = [&](const PackageEntry& package) {
    for (const std::string* text : {&package.name, &package.version, &package.purl, &package.license})
      add(*text);
  };
  add(bill.name);
  add(created);
  for (const nix::StorePath& root : bill.roots) add(root.base_name());
  for (const Component& component : bill.components) {
    add(component.path.base_name());
    hash.update(bytes_of(component.nar_hash));
    add_package(component.package);
    for (const PackageEntry& package : component.merged) add_package(package);
  }
  const Sha256Digest digest = hash.finish();
  std::string bytes(bytes_of(digest).substr(0, 16));
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x80);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  const std::string hex = to_hex(bytes);
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4),
                     hex.substr(16, 4), hex.substr(20));
}

}  // namespace flox::trust
