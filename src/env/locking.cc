#include "env/locking.h"

#include <algorithm>
#include <map>

#include "base/data/toml_edit.h"
#include "base/error.h"
#include "base/printable.h"
#include "env/include.h"
#include "env/references.h"

namespace flox::env {
namespace {

using nlohmann::json;

// Without members that are null or empty, which say nothing. Recurses once per level, of which parsed texts
// have few.
json without_empty(const json& value) {
  if (!value.is_object()) return value;
  json result = json::object();
  for (const auto& [key, member] : value.items()) {
    json inner = without_empty(member);
    if (!inner.is_null() && !(inner.is_structured() && inner.empty())) result[key] = std::move(inner);
  }
  return result;
}

const json* find(const json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(key);
  return it == object.end() ? nullptr : &*it;
}

// With [include], the manifest that was locked is the merged one, and the composer's stands beside it.
const json* composer_of(const Lockfile& lock) {
  const json* const compose = find(lock.other, "compose");
  const json* const composer = compose == nullptr ? nullptr : find(*compose, "composer");
  return composer != nullptr && composer->is_object() ? composer : nullptr;
}

// `target` with what differs between the two: so the lock keeps its own form of what stays.
void apply_difference(const json& before, const json& after, json& target) {
  for (const auto& [key, value] : before.items())
    if (!after.contains(key)) target.erase(key);
  for (const auto& [key, value] : after.items()) {
    const json* const old = find(before, key);
    if (old != nullptr && *old == value) continue;
    if (old != nullptr && old->is_object() && value.is_object() && target.contains(key) &&
        target[key].is_object())
      apply_difference(*old, value, target[key]);
    else
      target[key] = value;
  }
}

// The included environments, each as it is locked or as it is now.
std::vector<IncludedManifest> included_manifests(const LockRequest& request, Resolver& resolver) {
  const json none = json::object();
  const json* const compose = request.old_lock ? find(request.old_lock->other, "compose") : nullptr;
  const json* const locked = compose == nullptr ? nullptr : find(*compose, "include");
  return read_includes(
      {.descriptors = includes_of(request.wanted),
       .locked = locked == nullptr ? none : *locked,
       .directory = request.directory,
       .anew = request.include_anew},
      [&](const IncludeDescriptor& remote) { return resolver.included(remote.remote, remote.generation); });
}

json to_json(const std::vector<IncludedManifest>& included) {
  json list = json::array();
  for (const IncludedManifest& one : included)
    list.push_back({{"manifest", one.manifest}, {"name", one.name}, {"descriptor", one.descriptor}});
  return list;
}

std::vector<IncludedManifest> included_in(const json& compose) {
  std::vector<IncludedManifest> result;
  const json* const list = find(compose, "include");
  if (list == nullptr || !list->is_array()) return result;
  for (const json& one : *list)
    result.push_back({.name = one.is_object() ? one.value("name", "") : "",
                      .manifest = one.value("manifest", json::object()),
                      .descriptor = one.value("descriptor", json::object())});
  return result;
}

// The manifests of a new lock. What stays keeps the form that it has in the old one: both manifests are
// merged by the same rules, and the difference is applied.
void compose_lock(const LockRequest& request, const json* old_composer, Resolver& resolver, Lockfile& lock) {
  const std::vector<IncludedManifest> included = included_manifests(request, resolver);
  const ComposedManifest now = compose(request.wanted.json, included);
  if (old_composer == nullptr) {
    lock.manifest = now.manifest;
    lock.other["compose"] = {
        {"composer", request.wanted.json}, {"include", to_json(included)}, {"warnings", now.warnings}};
    return;
  }
  json& document = lock.other["compose"];
  const std::vector<IncludedManifest> old_included = included_in(document);
  const ComposedManifest before = compose(*old_composer, old_included);
  apply_difference(without_empty(before.manifest), without_empty(now.manifest), lock.manifest);
  const json composer_before = without_empty(*old_composer);
  apply_difference(composer_before, without_empty(request.wanted.json), document["composer"]);
  if (to_json(included) != to_json(old_included)) document["include"] = to_json(included);
  if (before.warnings != now.warnings) document["warnings"] = now.warnings;
}

// The new lock without its packages.
Lockfile begin_lock(const LockRequest& request, Resolver& resolver) {
  Lockfile lock;
  if (request.old_lock) {
    lock.other = request.old_lock->other;
    lock.manifest = request.old_lock->manifest;
  }
  const json* const old_composer = request.old_lock ? composer_of(*request.old_lock) : nullptr;
  if (!includes_of(request.wanted).empty()) {
    compose_lock(request, old_composer, resolver, lock);
    return lock;
  }
  lock.other.erase("compose");
  const bool continues =
      request.old_lock && request.old_manifest && locks(*request.old_lock, *request.old_manifest);
  if (!continues || old_composer != nullptr)
    lock.manifest = request.wanted.json;
  else
    apply_difference(request.old_manifest->json, request.wanted.json, lock.manifest);
  return lock;
}

// Does the locked package still answer the descriptor? Priority, systems and outputs do not matter
// (docs/formats/lockfile.md).
bool answers(const LockedPackage& package, const json& old_manifest, std::string_view id,
             const json& wanted) {
  if (package.install_id != id) return false;
  const json* const installed = find(old_manifest, "install");
  const json* const old = installed == nullptr ? nullptr : find(*installed, id);
  if (old == nullptr || !old->is_object() || !wanted.is_object()) return false;
  auto same = [&](const char* key, const json& by_default) {
    return old->value(key, by_default) == wanted.value(key, by_default);
  };
  return same("pkg-path", {}) && same("version", {}) && same("pkg-group", "toplevel") &&
         same("store-path", {}) && same("flake", {});
}

LockedPackage store_path_package(std::string_view id, const InstallDescriptor& descriptor,
                                 std::string_view system) {
  json entry = {{"install_id", id},
                {"store_path", *descriptor.store_path},
                {"system", system},
                {"priority", descriptor.priority}};
  return LockedPackage::from_json(std::move(entry));
}

std::vector<std::string> wanted_systems(const InstallDescriptor& descriptor, const Manifest& manifest,
                                        const Resolver& resolver) {
  if (!descriptor.systems.empty()) return descriptor.systems;
  return manifest.systems.empty() ? resolver.systems() : manifest.systems;
}

bool systems_are_named(const InstallDescriptor& descriptor, const Manifest& manifest) {
  return !descriptor.systems.empty() || !manifest.systems.empty();
}

// What there is of a package, of the systems that were asked for.
struct Resolution {
  std::vector<LockedPackage> packages;
  std::vector<std::string> found, missing;  // systems
  std::optional<Error> error;               // why one is missing: this machine's, or else the first

  void add(const std::string& system, Resolver::Answer answer) {
    if (auto* const package = std::get_if<LockedPackage>(&answer)) {
      packages.push_back(std::move(*package));
      found.push_back(system);
      return;
    }
    if (!error || system == current_system()) error = std::get<Error>(answer);
    missing.push_back(system);
  }
};

// The packages of a lock in the order that Flox has: by install id, then by system.
class PackageList {
 public:
  PackageList(const LockRequest& request, const Manifest& manifest, Resolver& resolver)
      : request_(request), manifest_(manifest), resolver_(resolver) {}

  std::vector<LockedPackage> make() {
    if (request_.old_lock)
      for (const LockedPackage& package : request_.old_lock->packages) keep(package);
    // All that is missing is asked for at once: 40 packages for four systems, one after the other, take the
    // catalog 60 ms longer.
    std::vector<PackageQuestion> questions;
    std::map<std::string, Resolution> there;
    for (const auto& [id, descriptor] : manifest_.install)
      for (const std::string& system : missing_systems(id, descriptor)) {
        if (descriptor.store_path)
          there[id].add(system, stored_package(id, descriptor, system));
        else
          questions.push_back(question(id, descriptor, system));
      }
    std::vector<Resolver::Answer> answers = resolver_.resolve_all(questions);
    for (size_t i = 0; i < questions.size(); ++i)
      there[questions[i].install_id].add(questions[i].system, std::move(answers.at(i)));
    for (auto& [id, found] : there) complete(id, manifest_.install.at(id), std::move(found));
    return std::move(packages_);
  }

 private:
  // In the place that it has, if the new manifest still wants it.
  void keep(const LockedPackage& package) {
    const auto wanted = manifest_.install.find(package.install_id);
    if (wanted == manifest_.install.end() || (request_.anew && request_.anew(package.install_id)) ||
        !answers(package, request_.old_lock->manifest, package.install_id,
                 manifest_.json["install"][package.install_id]))
      return;
    const auto systems = wanted_systems(wanted->second, manifest_, resolver_);
    if (std::ranges::find(systems, package.system) == systems.end() &&
        systems_are_named(wanted->second, manifest_))
      return;
    packages_.push_back(with_priority(package, wanted->second.priority));
  }

  static LockedPackage with_priority(LockedPackage package, int priority) {
    if (package.priority == priority) return package;
    package.priority = priority;
    package.json["priority"] = priority;
    return package;
  }

  bool is_locked(const std::string& id, const std::string& system) const {
    return std::ranges::any_of(
        packages_, [&](const auto& package) { return package.install_id == id && package.system == system; });
  }

  bool is_locked(const std::string& id) const {
    return std::ranges::any_of(packages_, [&](const auto& package) { return package.install_id == id; });
  }

  // For which the package is wanted and not locked.
  std::vector<std::string> missing_systems(const std::string& id, const InstallDescriptor& descriptor) const {
    // What was locked for some of the systems that nobody has named was locked for those that had it.
    if (!systems_are_named(descriptor, manifest_) && is_locked(id) && request_.only_system.empty()) return {};
    std::vector<std::string> asked = wanted_systems(descriptor, manifest_, resolver_);
    std::erase_if(asked, [&](const std::string& system) {
      return is_locked(id, system) || (!request_.only_system.empty() && system != request_.only_system);
    });
    return asked;
  }

  void complete(const std::string& id, const InstallDescriptor& descriptor, Resolution there) {
    if (there.error &&
        (there.error->kind() == ErrorKind::invalid_input || (there.found.empty() && !is_locked(id))))
      throw placed(id, *there.error);
    if (there.error && systems_are_named(descriptor, manifest_)) refuse(id, descriptor, there);
    for (LockedPackage& package : there.packages)
      insert(with_priority(std::move(package), descriptor.priority));
  }

  LockedPackage stored_package(const std::string& id, const InstallDescriptor& descriptor,
                               const std::string& system) const try {
    return store_path_package(id, descriptor, system);
  } catch (const Error& error) {
    throw placed(id, error);
  }

  // Where the entry stands, unless a command is just adding it to the manifest.
  Error placed(const std::string& id, const Error& error) const {
    if (!request_.is_typed && request_.old_manifest && !request_.old_manifest->install.contains(id))
      return error;
    const bool is_version = error.kind() == ErrorKind::invalid_input;
    auto place = manifest_.places.find(fmt::format("install.{}{}", id, is_version ? ".version" : ""));
    if (place == manifest_.places.end()) place = manifest_.places.find("install." + id);
    return place == manifest_.places.end() ? error : error.with_context(place->second);
  }

  [[noreturn]] void refuse(const std::string& id, const InstallDescriptor& descriptor,
                           const Resolution& there) const {
    std::vector<std::string> have;
    for (const auto& system : wanted_systems(descriptor, manifest_, resolver_))
      if (is_locked(id, system) || std::ranges::find(there.found, system) != there.found.end())
        have.push_back('"' + system + '"');
    throw Error(ErrorKind::not_found,
                fmt::format("{}: there is no package '{}' for {}", manifest_.place_of("install." + id),
                            printable(id), fmt::join(there.missing, ", ")),
                fmt::format("Write {}.systems = [{}] to have it where it is.", toml_key(printable(id)),
                            fmt::join(have, ", ")));
  }

  PackageQuestion question(const std::string& id, const InstallDescriptor& descriptor,
                           const std::string& system) const {
    if (descriptor.flake)
      throw Error(ErrorKind::invalid_input,
                  fmt::format("{}: '{}' is a flake, which only Nix can evaluate",
                              manifest_.place_of("install." + id), printable(id)),
                  "Lock the environment with Flox, or build the flake with Nix and install its store path.");
    require_default_stability(id, descriptor);
    return {.install_id = id, .descriptor = descriptor, .system = system};
  }

  // Our catalogs have one line of packages, whose stability Flox's locks call stable.
  void require_default_stability(const std::string& id, const InstallDescriptor& descriptor) const {
    std::string place = "pkg-groups." + descriptor.pkg_group;
    const auto said = [&](std::initializer_list<std::string_view> path) {
      const json* at = &manifest_.json;
      for (const std::string_view key : path) at = at == nullptr ? nullptr : find(*at, key);
      return at != nullptr && at->is_string() ? at->get<std::string>() : std::string();
    };
    std::string stability = said({"pkg-groups", descriptor.pkg_group, "stability"});
    if (stability.empty()) {
      place = "options.stability";
      stability = said({"options", "stability"});
    }
    if (stability.empty() || stability == "stable") return;
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("{}: '{}' is to be chosen by the stability \"{}\", and the catalog has only \"stable\"",
                    manifest_.place_of(place), printable(id), printable(stability, 60)),
        "Take the stability out, or name the package's version.");
  }

  void insert(LockedPackage package) {
    const auto before = std::ranges::find_if(packages_, [&](const LockedPackage& other) {
      return std::tie(package.install_id, package.system) < std::tie(other.install_id, other.system);
    });
    packages_.insert(before, std::move(package));
  }

  const LockRequest& request_;
  const Manifest& manifest_;
  Resolver& resolver_;
  std::vector<LockedPackage> packages_;
};

}  // namespace

bool locks(const Lockfile& lock, const Manifest& manifest) {
  const json* const composer = composer_of(lock);
  return without_empty(composer == nullptr ? lock.manifest : *composer) == without_empty(manifest.json);
}

std::vector<Resolver::Answer> Resolver::resolve_all(std::span<const PackageQuestion> questions) {
  std::vector<Answer> answers;
  for (const auto& [install_id, descriptor, system] : questions) {
    try {
      answers.emplace_back(resolve(install_id, descriptor, system));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found && error.kind() != ErrorKind::invalid_input) throw;
      answers.emplace_back(error);
    }
  }
  return answers;
}

Lockfile Resolver::included(const std::string& reference, std::optional<int64_t> generation) {
  throw Error(ErrorKind::invalid_input,
              fmt::format("including {}{}: there is no catalog to ask here", reference,
                          generation ? fmt::format(":{}", *generation) : ""),
              "Lock the environment where it is developed.");
}

Lockfile make_lock(const LockRequest& request, Resolver& resolver) {
  Lockfile lock = begin_lock(request, resolver);
  Manifest merged = Manifest::from_json(lock.manifest);
  merged.places = request.wanted.places;
  if (request.only_system.empty()) refuse_references(merged);
  lock.packages = PackageList(request, merged, resolver).make();
  return lock;
}

json merged_manifest(const LockRequest& request, Resolver& resolver) {
  return begin_lock(request, resolver).manifest;
}

PackageSystems systems_of_package(std::string_view install_id, const InstallDescriptor& descriptor,
                                  const Manifest& manifest, Resolver& resolver) {
  PackageSystems result{.wanted = wanted_systems(descriptor, manifest, resolver), .found = {}};
  if (descriptor.store_path) {
    result.found = result.wanted;
    return result;
  }
  std::vector<PackageQuestion> questions;
  for (const std::string& system : result.wanted)
    questions.push_back({.install_id = std::string(install_id), .descriptor = descriptor, .system = system});
  std::vector<Resolver::Answer> answers = resolver.resolve_all(questions);
  Resolution there;
  for (size_t i = 0; i < questions.size(); ++i) there.add(questions[i].system, std::move(answers.at(i)));
  if (there.found.empty() && there.error) throw *there.error;
  result.found = there.found;
  return result;
}

}  // namespace flox::env
