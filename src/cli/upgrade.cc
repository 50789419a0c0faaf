// flox upgrade: locked packages at the newest versions that the manifest admits.
#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "base/settings/units.h"
#include "cli/changed_environment.h"
#include "cli/commands.h"
#include "cli/installed.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/say.h"
#include "env/environment.h"

namespace flox::cli {
namespace {

struct UpgradeOptions {
  std::vector<std::string> ids;
  EnvironmentChoice environment;
  bool dry_run = false;
  bool json = false;
};

struct UpgradedPackage {
  std::string id, was, is;  // `was` is empty for one that had not been locked
};

// What one lock has for this system, by install id.
std::map<std::string, env::LockedPackage> packages_of(const std::optional<env::Lockfile>& lock) {
  std::map<std::string, env::LockedPackage> result;
  if (!lock) return result;
  for (auto& package : lock->for_system(env::current_system())) result.emplace(package.install_id, package);
  return result;
}

std::vector<UpgradedPackage> upgraded(const std::optional<env::Lockfile>& before,
                                      const env::Lockfile& after) {
  const auto old = packages_of(before);
  std::vector<UpgradedPackage> result;
  for (const auto& [id, package] : packages_of(after)) {
    const auto it = old.find(id);
    if (it != old.end() && it->second.outputs == package.outputs) continue;
    result.push_back({.id = id, .was = it == old.end() ? "" : it->second.version, .is = package.version});
  }
  return result;
}

void print_upgraded(const std::vector<UpgradedPackage>& packages, bool as_json) {
  if (as_json) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& [id, was, is] : packages)
      list.push_back(
          {{"install_id", id}, {"from", was.empty() ? nlohmann::json() : nlohmann::json(was)}, {"to", is}});
    fmt::print("{}\n", list.dump(2));
    return;
  }
  for (const auto& [id, was, is] : packages)
    fmt::print("{}: {} -> {}{}\n", printable(id), was.empty() ? "new" : printable(was), printable(is),
               was == is ? " (another build)" : "");
}

void upgrade(const UpgradeOptions& options) {
  ChangedEnvironment changed(options.environment, "flox upgrade");
  const env::Environment& environment = changed.environment();
  const env::Manifest manifest = environment.manifest();
  for (const auto& id : options.ids) require_installed(id, manifest, environment);
  auto resolver = make_resolver();
  env::ChangeContext context = changed.changing();
  context.only_try = options.dry_run;
  if (options.dry_run) context.prepare = {};
  context.anew = [&](const std::string& id) {
    const auto entry = manifest.install.find(id);
    // What comes from elsewhere than the catalog has no other version.
    if (entry != manifest.install.end() && (entry->second.flake || entry->second.store_path)) return false;
    return options.ids.empty() || std::ranges::find(options.ids, id) != options.ids.end();
  };
  const std::optional<env::Lockfile> before = environment.lockfile();
  const env::Lockfile after = environment.lock(*resolver, context);
  changed.finish();
  const std::vector<UpgradedPackage> packages = upgraded(before, after);
  print_upgraded(packages, options.json);
  const size_t count = packages.size();
  if (count == 0)
    say("ℹ no package of environment '{}' has a newer version\n", environment.name());
  else
    say("{} {} of environment '{}'{}\n", options.dry_run ? "ℹ" : "✔", count_text(count, "package"),
        environment.name(), options.dry_run ? " would be upgraded" : " upgraded");
}

}  // namespace

void add_upgrade(CLI::App& app) {
  auto options = std::make_shared<UpgradeOptions>();
  auto* command = app.add_subcommand("upgrade", "Upgrade packages to the newest versions");
  offer_installed(
      command->add_option("ID", options->ids, "install ids, as flox list shows them (default: all)"));
  add_directory(*command, options->environment.directory);
  add_changed_reference(*command, options->environment.reference);
  command->add_flag("-n,--dry-run", options->dry_run, "print what would change, and change nothing");
  add_json(*command, options->json);
  command->footer(
      "The versions are the newest that the manifest admits.\n\n"
      "Examples:\n  flox upgrade --dry-run\n  flox upgrade python3");
  command->callback([options] { upgrade(*options); });
}

}  // namespace flox::cli
