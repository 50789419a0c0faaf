// flox install: adds packages to an environment.
#include <algorithm>
#include <memory>
#include <optional>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/printable.h"
#include "cli/changed_environment.h"
#include "cli/commands.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/quoted_list.h"
#include "cli/say.h"
#include "env/environment.h"
#include "env/manifest_edit.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

struct InstallOptions {
  std::vector<std::string> packages;
  EnvironmentChoice environment;
  std::string install_id;
};

// The environment to install into. In a pod without one, a new one named after the package: the guide's
// variants run a bare `flox install ticket-processor-avx2`.
ChangedEnvironment environment_for(const EnvironmentChoice& choice, const std::string& first_id) {
  const char* const doing = "flox install";
  if (!choice.reference.empty()) return {choice, doing};
  try {
    return {choice, doing};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found || !in_pod()) throw;
    auto made = env::Environment::init(choice.directory, first_id);
    say("⚡︎ Created environment '{}' in {}: there was none\n", made.name(), made.directory().string());
    return {std::move(made), doing};
  }
}

// What an installation has done, for messages.
struct Installation {
  std::vector<std::string> installed, present;  // install ids
  env::Manifest manifest_before;
  std::optional<env::Lockfile> before;
  std::vector<std::pair<std::string, std::vector<std::string>>> narrowed;  // install ids, and their systems
};

// The systems for which there is such a package, if the manifest names some for which there is none.
std::vector<std::string> narrowed_systems(const env::NamedPackage& package, const env::Manifest& manifest,
                                          env::Resolver& resolver, Installation& done) {
  const auto entry = manifest.install.find(package.install_id);
  const bool has_systems = entry != manifest.install.end() && !entry->second.systems.empty();
  if (has_systems || manifest.systems.empty()) return {};
  const auto [asked, found] =
      env::systems_of_package(package.install_id, package.descriptor, manifest, resolver);
  if (found.size() == asked.size()) return {};
  done.narrowed.emplace_back(package.install_id, found);
  return found;
}

// The manifest with the packages.
std::string with_packages(std::string text, const std::vector<env::NamedPackage>& wanted,
                          env::Resolver& resolver, Installation& done) {
  const env::Manifest& manifest = done.manifest_before = env::Manifest::parse(text, "manifest.toml");
  env::Manifest merged = manifest;
  // Those of an environment that [include] names, as they were locked.
  if (merged.systems.empty() && done.before && manifest.json.contains("include"))
    merged.systems = env::Manifest::from_json(done.before->manifest).systems;
  for (const auto& package : wanted) {
    const auto& [id, descriptor] = package;
    const auto it = manifest.install.find(id);
    const bool same = it != manifest.install.end() && it->second.pkg_path == descriptor.pkg_path &&
                      it->second.version == descriptor.version &&
                      it->second.store_path == descriptor.store_path;
    (same ? done.present : done.installed).push_back(id);
    if (same) continue;
    env::InstallDescriptor narrowed = descriptor;
    narrowed.systems = narrowed_systems(package, merged, resolver, done);
    text = env::with_install(text, id, narrowed);
  }
  return text;
}

// "2.0"; of what is not there "none".
std::string version_in(const env::Lockfile& lock, const std::string& id) {
  const auto packages = lock.for_system(env::current_system());
  const auto found = std::ranges::find(packages, id, &env::LockedPackage::install_id);
  return found == packages.end() ? "none" : found->version.empty() ? "no version" : printable(found->version);
}

// Of a package that the environment had: what has become of its version, and what of its pin.
void print_change(const std::string& id, const std::optional<std::string>& pin, const Installation& done,
                  const env::Lockfile& after) {
  const auto entry = done.manifest_before.install.find(id);
  if (entry == done.manifest_before.install.end()) return;
  const std::optional<std::string>& old_pin = entry->second.version;
  const std::string was = done.before ? version_in(*done.before, id) : "none", is = version_in(after, id);
  say("  {}: {}{}\n", printable(id), was == is ? is : fmt::format("{} -> {}", was, is),
      pin       ? fmt::format("; pinned to '{}', to which 'flox upgrade' keeps", printable(*pin))
      : old_pin ? fmt::format("; no longer pinned to '{}'", printable(*old_pin))
                : "");
}

void print_done(const env::Environment& environment, const std::vector<env::NamedPackage>& wanted,
                const Installation& done, const env::Lockfile& after) {
  for (const auto& [id, systems] : done.narrowed)
    say("! '{}' is installed for {} only: there is none for the other systems\n", printable(id),
        fmt::join(systems, ", "));
  if (!done.present.empty())
    say("! {} already installed to environment '{}'\n", quoted_list(done.present), environment.name());
  if (!done.installed.empty())
    say("✔ {} installed to environment '{}'\n", quoted_list(done.installed), environment.name());
  for (const auto& [id, descriptor] : wanted)
    if (descriptor.version || std::ranges::find(done.installed, id) != done.installed.end())
      print_change(id, descriptor.version, done, after);
}

void install(const InstallOptions& options) {
  if (!options.install_id.empty() && options.packages.size() != 1)
    fail_usage("--id names one package, and several are given", "Install them one by one.");
  std::vector<env::NamedPackage> wanted;
  for (const auto& text : options.packages) wanted.push_back(env::parse_package(text));
  if (!options.install_id.empty()) wanted[0].install_id = options.install_id;
  ChangedEnvironment changed = environment_for(options.environment, wanted[0].install_id);
  const env::Environment& environment = changed.environment();
  auto resolver = make_resolver();
  Installation done;
  const env::Lockfile after =
      in_context(fmt::format("installing into environment '{}'", environment.name()), [&] {
        return environment.edit(
            [&](const std::string& text) {
              done = {.installed = {},
                      .present = {},
                      .manifest_before = {},
                      .before = environment.lockfile(),
                      .narrowed = {}};
              return with_packages(text, wanted, *resolver, done);
            },
            *resolver, changed.changing());
      });
  changed.finish();
  print_done(environment, wanted, done, after);
}

}  // namespace

void add_install(CLI::App& app) {
  auto options = std::make_shared<InstallOptions>();
  auto* command = app.add_subcommand("install", "Add packages to an environment")->alias("i");
  command->add_option("PACKAGE", options->packages, "NAME, NAME@VERSION or a store path")->required();
  add_directory(*command, options->environment.directory);
  add_changed_reference(*command, options->environment.reference);
  command->add_option("-i,--id", options->install_id, "install id in the manifest (default: NAME)");
  command->footer(
      "NAME@VERSION pins the package: the version is written into the manifest, and flox upgrade keeps to it "
      "until\n"
      "NAME is installed without one. VERSION may be a constraint (^1.2, >=2).\n\n"
      "Examples:\n  flox install python3\n  flox install ticket-processor@0.0.9");
  command->callback([options] { install(*options); });
}

}  // namespace flox::cli
