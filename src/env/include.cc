#include "env/include.h"

#include <set>

#include "base/error.h"
#include "base/printable.h"
#include "env/environment.h"

namespace flox::env {
namespace {

using nlohmann::json;

// The last part of OWNER/NAME.
std::string name_in(const std::string& reference) { return reference.substr(reference.rfind('/') + 1); }

IncludedManifest read_directory(const IncludeDescriptor& descriptor, const std::filesystem::path& base) {
  const std::filesystem::path directory = base / descriptor.dir;
  const Environment environment = Environment::open(directory);
  std::error_code error;
  if (std::filesystem::equivalent(environment.directory(), base, error))
    throw Error(ErrorKind::invalid_input, "an environment cannot include itself",
                "Remove the entry from [include].");
  const EnvironmentFiles files = read_environment_files(environment.directory());
  const std::string file = (environment.directory() / ".flox/env/manifest.toml").string();
  std::optional<Lockfile> lock;
  if (files.lock)
    lock = Lockfile::parse(*files.lock, (environment.directory() / ".flox/env/manifest.lock").string());
  if (!lock || !locks(*lock, Manifest::parse(files.manifest, file)))
    throw Error(ErrorKind::invalid_input,
                fmt::format("the environment in {} is not locked as its manifest is",
                            environment.directory().string()),
                fmt::format("Run 'flox lock -d {}'.", environment.directory().string()));
  return {.name = descriptor.name.empty() ? environment.name() : descriptor.name,
          .manifest = std::move(lock->manifest),
          .descriptor = descriptor.json};
}

// As the lock has it; nothing if it does not.
std::optional<IncludedManifest> find_locked(const json& locked, const IncludeDescriptor& descriptor) {
  if (!locked.is_array()) return std::nullopt;
  for (const json& one : locked)
    if (one.is_object() && one.value("descriptor", json()) == descriptor.json && one.contains("manifest") &&
        one.contains("name") && one["name"].is_string())
      return IncludedManifest{
          .name = one["name"].get<std::string>(), .manifest = one["manifest"], .descriptor = descriptor.json};
  return std::nullopt;
}

}  // namespace

std::vector<IncludedManifest> read_includes(
    const IncludeRequest& request, const std::function<Lockfile(const IncludeDescriptor& remote)>& fetch) {
  std::vector<IncludedManifest> result;
  std::set<std::string> names;
  for (const IncludeDescriptor& descriptor : request.descriptors)
    in_context(descriptor.place, [&] {
      std::optional<IncludedManifest> one = find_locked(request.locked, descriptor);
      if (!one || (request.anew && request.anew(one->name)))
        one = in_context(
            fmt::format("including {}",
                        printable(descriptor.dir.empty() ? descriptor.remote : descriptor.dir, 200)),
            [&]() -> IncludedManifest {
              if (!descriptor.dir.empty()) return read_directory(descriptor, request.directory);
              return {.name = descriptor.name.empty() ? name_in(descriptor.remote) : descriptor.name,
                      .manifest = fetch(descriptor).manifest,
                      .descriptor = descriptor.json};
            });
      if (!names.insert(one->name).second)
        throw Error(ErrorKind::invalid_input,
                    fmt::format("two included environments have the name '{}'", printable(one->name, 100)),
                    "Give one of them another one: { …, name = \"NAME\" }.");
      result.push_back(std::move(*one));
    });
  return result;
}

std::map<std::string, std::string> included_packages(const nlohmann::json& compose) {
  std::map<std::string, std::string> result;
  const nlohmann::json nothing = nlohmann::json::object();
  const auto member = [&](const nlohmann::json& object, const char* name) -> const nlohmann::json& {
    const auto found = object.find(name);
    return found == object.end() ? nothing : *found;
  };
  for (const nlohmann::json& included : member(compose, "include")) {
    const nlohmann::json& name = member(included, "name");
    const nlohmann::json& install = member(member(included, "manifest"), "install");
    if (!name.is_string() || !install.is_object()) continue;
    for (const auto& [id, unused] : install.items()) result[id] = name.get<std::string>();
  }
  const nlohmann::json& own = member(member(compose, "composer"), "install");
  if (own.is_object())
    for (const auto& [id, unused] : own.items()) result.erase(id);
  return result;
}

}  // namespace flox::env
