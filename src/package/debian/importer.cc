#include "package/debian/importer.h"

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "package/debian/copyright.h"
#include "package/debian/package_rules.h"
#include "trust/sbom/package_file.h"
#include "trust/sbom/purl.h"

namespace flox::package {
namespace {

// Part of every key of the memory: raise it whenever the rules of this folder change what an import gives.
constexpr int import_format = 6;

bool in_library_section(const DebianPackage& package) {
  auto section = std::string_view(package.section).substr(package.section.rfind('/') + 1);
  return section == "libs" || section == "oldlibs";
}

// Directory of the place that `soname` has in a sorted list of places, the loader's default ones first.
std::optional<std::string> directory_of(const std::string& soname, const std::vector<std::string>& places) {
  std::optional<std::string> result;
  for (const auto& place : places) {
    if (!place.ends_with("/" + soname)) continue;
    std::string directory = place.substr(0, place.size() - soname.size() - 1);
    if (is_default_library_directory(directory)) return directory;
    if (!result) result = directory;
  }
  return result;
}

std::vector<std::string> places_below(const fs::path& directory) {
  std::vector<std::string> result;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    if (entry.symlink_status().type() != fs::file_type::directory)
      result.push_back(entry.path().lexically_relative(directory).string());
  std::sort(result.begin(), result.end());
  return result;
}

// Is a package that another depends on merged into its tree? Plumbing is only where it is a part that Debian
// split off the other: perl-base has perl's program.
bool is_part_of_tree(const DebianPackage& dependency, const DebianPackage& dependent) {
  return !is_plumbing(dependency) || dependency.source == dependent.source;
}

std::string store_name(const DebianPackage& package) {
  return package.name + "-" + upstream_version(package.version);
}

trust::PackageEntry entry_of(const DebianPackage& package, std::string_view copyright) {
  return {.name = package.name,
          .version = package.version,
          .purl = trust::debian_purl(package.name, package.version, package.architecture),
          .license = parse_copyright(copyright),
          .source = package.source};
}

// What a Debian package finds around it: the libraries of the packages that it depends on.
class DebianSurroundings : public Surroundings {
 public:
  DebianSurroundings(Importer& importer, std::string name, std::vector<std::string> packages)
      : importer_(importer), name_(std::move(name)), packages_(std::move(packages)) {}

  std::optional<Provider> library(const std::string& soname, const std::vector<std::string>&) override {
    return importer_.find_library(soname, packages_);
  }
  std::optional<Provider> file(const std::string& place) override {
    return importer_.find_file(place, packages_);
  }
  std::optional<Provider> program(const std::string&) override { return std::nullopt; }
  bool drops_foreign_links() const override { return true; }
  void missing(const std::string& soname, const std::string& needed_by) override {
    note(fmt::format("{} needs {}, which none of its dependencies has", needed_by, soname));
  }
  void note(const std::string& line) override {
    importer_.debian().step(fmt::format("note: {}: {}", name_, line));
  }

 private:
  Importer& importer_;
  std::string name_;
  std::vector<std::string> packages_;
};

}  // namespace

std::vector<std::string> Importer::dependencies(const std::string& name) {
  std::vector<std::string> result;
  std::set<std::string> alternatives;
  for (const auto& relation : debian_.package(name).depends)
    alternatives.insert(relation.begin(), relation.end());
  debian_.load(alternatives);
  for (const auto& relation : Relations(debian_.package(name).depends)) {
    auto chosen = debian_.choose(relation);
    if (chosen && *chosen != name && std::find(result.begin(), result.end(), *chosen) == result.end())
      result.push_back(*chosen);
  }
  return result;
}

bool Importer::is_library(const std::string& name) {
  if (!in_library_section(debian_.package(name))) return false;
  const auto& files = debian_.files(name);
  return std::any_of(files.begin(), files.end(), [](const std::string& place) {
    fs::path path(place);
    std::string file_name = path.filename().string();
    return is_default_library_directory(path.parent_path().string()) &&
           file_name.find(".so") != std::string::npos &&
           (file_name.starts_with("lib") || file_name.starts_with("ld-"));
  });
}

void Importer::prefetch(const std::set<std::string>& names) {
  std::set<std::string> seen, level = names;
  while (!level.empty()) {
    debian_.load(level);
    std::set<std::string> alternatives, next;
    for (const auto& name : level) {
      seen.insert(name);
      for (const auto& relation : debian_.package(name).depends)
        alternatives.insert(relation.begin(), relation.end());
    }
    debian_.load(alternatives);
    for (const auto& name : level) {
      if (is_imported_alone(name)) continue;
      for (const auto& dependency : dependencies(name)) {
        const auto& package = debian_.package(dependency);
        // A library's tree is its own: of what it depends on, only libraries matter.
        bool wanted = in_library_section(package) || (!in_library_section(debian_.package(name)) &&
                                                      is_part_of_tree(package, debian_.package(name)));
        if (wanted && !seen.contains(dependency)) next.insert(dependency);
      }
    }
    level = std::move(next);
  }
  debian_.obtain(seen);
}

std::optional<std::string> Importer::package_with(const std::string& soname,
                                                  const std::vector<std::string>& packages) {
  std::deque<std::string> queue(packages.begin(), packages.end());
  std::set<std::string> seen(packages.begin(), packages.end());
  for (; !queue.empty(); queue.pop_front()) {
    const std::string name = queue.front();
    if (!in_library_section(debian_.package(name))) continue;
    if (directory_of(soname, debian_.files(name))) return name;
    for (const auto& dependency : dependencies(name))
      if (seen.insert(dependency).second) queue.push_back(dependency);
  }
  return std::nullopt;
}

std::optional<Provider> Importer::find_library(const std::string& soname,
                                               const std::vector<std::string>& packages) {
  auto found = package_with(soname, packages);
  return found ? library_of(*found, soname) : std::nullopt;
}

std::optional<Provider> Importer::library_of(const std::string& package, const std::string& soname) {
  nix::StorePath path = library(package);
  auto& places = places_[path];
  if (places.empty()) places = places_below(store_.real_path(path));
  auto directory = directory_of(soname, places);
  if (!directory) return std::nullopt;
  if (!needed_.empty()) needed_.back().insert(package);
  return Provider{path, *directory};
}

std::optional<Provider> Importer::find_file(const std::string& place,
                                            const std::vector<std::string>& packages) {
  for (const auto& name : packages) {
    if (!is_library(name)) continue;
    const auto& files = debian_.files(name);
    if (!std::binary_search(files.begin(), files.end(), place)) continue;
    nix::StorePath path = library(name);
    if (!needed_.empty()) needed_.back().insert(name);
    return Provider{path, place};
  }
  static const std::map<std::string, std::string> interpreters{{"bin/sh", "dash"},
                                                               {"bin/dash", "dash"},
                                                               {"bin/bash", "bash"},
                                                               {"bin/perl", "perl-base"},
                                                               {"bin/python3", "python3"}};
  auto interpreter = interpreters.find(place);
  if (interpreter == interpreters.end()) return std::nullopt;
  const std::string& name = interpreter->second;
  if (std::find(in_progress_.begin(), in_progress_.end(), name) != in_progress_.end()) return std::nullopt;
  if (!needed_.empty()) needed_.back().insert("/" + name);  // not a library: such an import is not remembered
  return Provider{package(name), place == "bin/sh" ? "bin/dash" : place};
}

nix::StorePath Importer::package(const std::string& name) {
  auto done = applications_.find(name);
  if (done != applications_.end()) return done->second;
  debian_.package(name);
  nix::StorePath path = in_library_section(debian_.package(name)) && is_library(name)
                            ? library(name)
                            : import_application(name);
  return applications_.emplace(name, path).first->second;
}

nix::StorePath Importer::library(const std::string& name) {
  auto done = libraries_.find(name);
  if (done != libraries_.end()) return done->second;
  if (auto cycle = std::find(in_progress_.begin(), in_progress_.end(), name); cycle != in_progress_.end())
    fail(ErrorKind::conflict,
         "the libraries of these Debian packages need each other in a circle, which store paths cannot: {} → "
         "{}",
         fmt::join(cycle, in_progress_.end(), " → "), name);
  auto path = remembered(name);
  if (!path) {
    if (in_progress_.empty()) prefetch({name});
    path = import_library(name);
  }
  store_.add_temp_roots({*path});
  return libraries_.emplace(name, *path).first->second;
}

void Importer::import_libraries(const std::set<std::string>& names) {
  debian_.load(names);
  std::set<std::string> missing;
  for (const auto& name : names) {
    if (libraries_.contains(name)) continue;
    if (auto path = remembered(name)) {
      store_.add_temp_roots({*path});
      libraries_.emplace(name, *path);
    } else {
      missing.insert(name);
    }
  }
  if (missing.empty()) return;
  prefetch(missing);
  for (const auto& name : missing) library(name);
}

nix::StorePath Importer::import_tree(const std::string& name, const std::vector<std::string>& merged,
                                     const std::vector<std::string>& around) {
  BuildDirectory work(store_);
  fs::path tree = work.path() / "tree";
  fs::create_directory(tree);
  trust::PackageFile packages;
  for (const auto& package : merged) {
    const std::string copyright = debian_.unpack(package, tree);
    packages.packages.push_back(entry_of(debian_.package(package), copyright));
  }
  apply_package_rules(name, tree);
  const Directory root(tree);
  root.make_directory(fs::path(trust::package_file_place).parent_path().string());
  root.write_file(trust::package_file_place, packages.to_string());
  DebianSurroundings surroundings(*this, name, around);
  return relocate(store_,
                  {.directory = tree,
                   .name = store_name(debian_.package(name)),
                   .placeholder = placeholder_digest("deb"),
                   .origins = {"/usr", "/"}},
                  surroundings)
      .path;
}

nix::StorePath Importer::import_library(const std::string& name) {
  in_progress_.push_back(name);
  needed_.emplace_back();
  auto path = in_context("importing Debian package " + name,
                         [&] { return import_tree(name, {name}, dependencies(name)); });
  std::set<std::string> needed = std::move(needed_.back());
  needed_.pop_back();
  in_progress_.pop_back();
  remember(name, path, needed);
  return path;
}

nix::StorePath Importer::import_application(const std::string& name) {
  prefetch({name});
  Members members = this->members(name);
  if (members.merged.size() > 1)
    debian_.step(fmt::format("{} is {}", name, fmt::join(members.merged, " + ")));
  in_progress_.push_back(name);
  auto path = in_context("importing Debian package " + name,
                         [&] { return import_tree(name, members.merged, members.libraries); });
  in_progress_.pop_back();
  store_.add_temp_roots({path});
  return path;
}

Importer::Members Importer::members(const std::string& name) {
  Members result;
  std::deque<std::string> queue{name};
  std::set<std::string> seen{name};
  for (; !queue.empty(); queue.pop_front()) {
    const std::string member = queue.front();
    if (member != name && is_library(member)) {
      result.libraries.push_back(member);
      continue;
    }
    result.merged.push_back(member);
    if (is_imported_alone(member)) continue;
    for (const auto& dependency : dependencies(member)) {
      const auto& package = debian_.package(dependency);
      bool wanted = in_library_section(package) || is_part_of_tree(package, debian_.package(member));
      if (wanted && seen.insert(dependency).second) queue.push_back(dependency);
    }
  }
  return result;
}

fs::path Importer::memory_file(const std::string& name) {
  const auto& package = debian_.package(name);
  std::string key = to_hex(
      bytes_of(sha256(fmt::format("{}\n{}\n{}\n{}", import_format, name, package.version, package.sha256))));
  return store_.state_directory().parent_path() / "flox/imports" / (name + "-" + key.substr(0, 32));
}

std::optional<nix::StorePath> Importer::remembered(const std::string& name) {
  if (debian_.package(name).sha256.empty()) return std::nullopt;
  fs::path file = memory_file(name);
  if (!fs::exists(file)) return std::nullopt;
  nlohmann::json json;
  try {
    json = parse_json(read_file(file), file.string());
  } catch (const Error&) {  // only a memory
  }
  if (!json.is_object() || !json.contains("path") || !json.contains("needed")) return std::nullopt;
  // All that the checks below will ask for, at once: asking apt takes 0.1 s each time.
  if (json.contains("closure")) debian_.load(json["closure"].get<std::set<std::string>>());
  in_progress_.push_back(name);
  bool same = true;
  for (const auto& [needed, path] : json["needed"].items())
    same = same && debian_.exists(needed) && library(needed).base_name() == path;
  in_progress_.pop_back();
  auto path = nix::StorePath::from_base_name(json["path"].get<std::string>());
  if (!same || !store_.is_valid(path)) return std::nullopt;
  closures_[name] = json.value("closure", std::set<std::string>{});
  return path;
}

void Importer::remember(const std::string& name, const nix::StorePath& path,
                        const std::set<std::string>& needed) {
  if (debian_.package(name).sha256.empty() || debian_.from_installed(name)) return;
  nlohmann::json json{{"path", path.base_name()}, {"needed", nlohmann::json::object()}};
  for (const auto& other : needed) {
    if (other.starts_with('/')) return;
    json["needed"][other] = library(other).base_name();
    closures_[name].insert(other);
    closures_[name].insert(closures_[other].begin(), closures_[other].end());
  }
  json["closure"] = closures_[name];
  fs::path file = memory_file(name);
  fs::create_directories(file.parent_path());
  write_file(file, json.dump());
}

}  // namespace flox::package
