// flox upgrade: locked packages at the newest versions that the manifest admits.
#include <algorithm>
#include <map>
#include <memory>

#include "base/printable.h"
#include "base/settings/units.h"
#include "cli/commands.h"
#include "cli/installed.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "env/environment.h"

namespace flox::cli {
namespace {

struct UpgradeOptions {
  std::vector<std::string> ids;
  std::string directory = ".";
  bool dry_run = false;
};

// What one lock has for this system, by install id.
std::map<std::string, env::LockedPackage> packages_of(const std::optional<env::Lockfile>& lock) {
  std::map<std::string, env::LockedPackage> result;
  if (!lock) return result;
  for (auto& package : lock->for_system(env::current_system())) result.emplace(package.install_id, package);
  return result;
}

size_t print_differences(const std::optional<env::Lockfile>& before, const env::Lockfile& after) {
  const auto old = packages_of(before);
  size_t count = 0;
  for (const auto& [id, package] : packages_of(after)) {
    const auto it = old.find(id);
    if (it != old.end() && it->second.outputs == package.outputs) continue;
    ++count;
    const std::string was = it == old.end() ? "new" : it->second.version;
    fmt::print("{}: {} -> {}{}\n", printable(id), printable(was), printable(package.version),
               was == package.version ? " (another build)" : "");
  }
  return count;
}

void upgrade(const UpgradeOptions& options) {
  const env::Environment environment = env::Environment::find(options.directory);
  const env::Manifest manifest = environment.manifest();
  for (const auto& id : options.ids) require_installed(id, manifest, environment);
  auto resolver = make_resolver();
  env::ChangeContext context = changing(environment, "flox upgrade");
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
  const size_t count = print_differences(before, after);
  if (count == 0)
    fmt::print(stderr, "ℹ no package of environment '{}' has a newer version\n", environment.name());
  else
    fmt::print(stderr, "{} {} of environment '{}'{}\n", options.dry_run ? "ℹ" : "✔",
               count_text(count, "package"), environment.name(),
               options.dry_run ? " would be upgraded" : " upgraded");
}

}  // namespace

void add_upgrade(CLI::App& app) {
  auto options = std::make_shared<UpgradeOptions>();
  auto* command = app.add_subcommand("upgrade", "Upgrade packages to the newest versions");
  command->add_option("ID", options->ids, "install ids, as flox list shows them (default: all)");
  add_directory(*command, options->directory);
  command->add_flag("-n,--dry-run", options->dry_run, "print what would change, and change nothing");
  command->footer(
      "The versions are the newest that the manifest admits.\n\n"
      "Examples:\n  flox upgrade --dry-run\n  flox upgrade python3");
  command->callback([options] { upgrade(*options); });
}

}  // namespace flox::cli
