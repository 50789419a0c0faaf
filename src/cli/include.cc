// flox include: what an environment includes, brought up to date.
#include <algorithm>
#include <memory>
#include <set>

#include "base/error.h"
#include "base/printable.h"
#include "cli/changed_environment.h"
#include "cli/commands.h"
#include "cli/generation_files.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/quoted_list.h"
#include "cli/say.h"
#include "env/environment.h"
#include "env/lock_difference.h"

namespace flox::cli {
namespace {

struct IncludeUpgradeOptions {
  EnvironmentChoice environment;
  std::vector<std::string> names;
};

// The included manifests of a lock, by name.
std::map<std::string, nlohmann::json> included_in_lock(const std::optional<env::Lockfile>& lock) {
  std::map<std::string, nlohmann::json> result;
  if (!lock || !lock->other.contains("compose")) return result;
  for (const nlohmann::json& one : lock->other["compose"].value("include", nlohmann::json::array()))
    if (one.is_object()) result[one.value("name", "")] = one.value("manifest", nlohmann::json());
  return result;
}

// An included manifest may change in what others override.
std::string changes_text(const env::Lockfile& before, const env::Lockfile& after) {
  if (env::lock_differences(before, after).empty()) return ", which changes nothing here";
  return ":" + difference_text(before, after);
}

void include_upgrade(const IncludeUpgradeOptions& options) {
  ChangedEnvironment changed(options.environment, "flox include upgrade");
  const env::Environment& environment = changed.environment();
  const std::string doing = fmt::format("upgrading what environment '{}' includes", environment.name());
  if (env::includes_of(environment.manifest()).empty())
    throw Error(ErrorKind::invalid_input, doing + ": it includes no environments",
                "Name some in its manifest: [include] environments = [{ dir = \"../common\" }].");
  auto resolver = make_resolver();
  std::set<std::string> unknown(options.names.begin(), options.names.end());
  env::ChangeContext context = changed.changing();
  context.include_anew = [&](const std::string& name) {
    unknown.erase(name);
    return options.names.empty() || std::ranges::find(options.names, name) != options.names.end();
  };
  // Before anything is fetched or written.
  context.prepare = [&, build = std::move(context.prepare)](const env::Lockfile& lock) {
    for (const auto& [name, manifest] : included_in_lock(lock)) unknown.erase(name);
    if (!unknown.empty())
      throw Error(ErrorKind::not_found,
                  fmt::format("{}: it includes no {}", doing, quoted_list({unknown.begin(), unknown.end()})),
                  "Use the names in [include], or those of the environments.");
    build(lock);
  };
  const std::optional<env::Lockfile> before = environment.lockfile();
  const env::Lockfile after = environment.lock(*resolver, context);
  changed.finish();
  const auto old = included_in_lock(before);
  std::vector<std::string> names;
  for (const auto& [name, manifest] : included_in_lock(after))
    if (const auto it = old.find(name); it == old.end() || it->second != manifest)
      names.push_back(printable(name));
  if (names.empty())
    say("ℹ nothing that environment '{}' includes has changed\n", environment.name());
  else
    say("✔ environment '{}' has what is new in {}{}\n", environment.name(), quoted_list(names),
        changes_text(before.value_or(env::Lockfile{}), after));
}

}  // namespace

void add_include(CLI::App& app) {
  auto* include = app.add_subcommand("include", "Look after the environments that an environment includes");
  include->require_subcommand(1);
  include->footer("Example:\n  flox include upgrade");
  auto options = std::make_shared<IncludeUpgradeOptions>();
  auto* command = include->add_subcommand("upgrade", "Take included environments as they are now");
  command->add_option("NAME", options->names, "included environments (default: all)");
  add_directory(*command, options->environment.directory);
  add_changed_reference(*command, options->environment.reference);
  command->footer(
      "What [include] names is read when it is new there, and otherwise only by this command.\n\n"
      "Examples:\n  flox include upgrade\n  flox include upgrade common");
  command->callback([options] { include_upgrade(*options); });
}

}  // namespace flox::cli
