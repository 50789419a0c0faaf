// flox install: adds packages to an environment.
#include <algorithm>
#include <memory>

#include "base/command_line/program.h"
#include "base/error.h"
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
  std::string directory = ".";
  std::string install_id;
};

// The environment to install into. In a pod without one, a new one named after the package: the guide's
// variants run a bare `flox install ticket-processor-avx2`.
env::Environment environment_for(const InstallOptions& options, const std::string& first_id) {
  try {
    return env::Environment::find(options.directory);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found || !in_pod()) throw;
    auto made = env::Environment::init(options.directory, first_id);
    say("⚡︎ Created environment '{}' in {}: there was none\n", made.name(), made.directory().string());
    return made;
  }
}

// The systems for which there is such a package, if the manifest names some for which there is none.
std::vector<std::string> narrowed_systems(const env::NamedPackage& package, const env::Manifest& manifest,
                                          env::Resolver& resolver) {
  const auto entry = manifest.install.find(package.install_id);
  const bool has_systems = entry != manifest.install.end() && !entry->second.systems.empty();
  if (has_systems || manifest.systems.empty()) return {};
  const auto [asked, found] =
      env::systems_of_package(package.install_id, package.descriptor, manifest, resolver);
  if (found.size() == asked.size()) return {};
  say("! '{}' is installed for {} only: there is none for the other systems\n", package.install_id,
      fmt::join(found, ", "));
  return found;
}

// The manifest with the packages, whose install ids go to one of the lists.
std::string with_packages(std::string text, const std::vector<env::NamedPackage>& wanted,
                          env::Resolver& resolver, std::vector<std::string>& installed,
                          std::vector<std::string>& present) {
  const env::Manifest manifest = env::Manifest::parse(text, "manifest.toml");
  for (const auto& package : wanted) {
    const auto& [id, descriptor] = package;
    const auto it = manifest.install.find(id);
    const bool same = it != manifest.install.end() && it->second.pkg_path == descriptor.pkg_path &&
                      it->second.version == descriptor.version &&
                      it->second.store_path == descriptor.store_path;
    (same ? present : installed).push_back(id);
    if (same) continue;
    env::InstallDescriptor narrowed = descriptor;
    narrowed.systems = narrowed_systems(package, manifest, resolver);
    text = env::with_install(text, id, narrowed);
  }
  return text;
}

void install(const InstallOptions& options) {
  if (!options.install_id.empty() && options.packages.size() != 1)
    fail_usage("--id names one package, and several are given", "Install them one by one.");
  std::vector<env::NamedPackage> wanted;
  for (const auto& text : options.packages) wanted.push_back(env::parse_package(text));
  if (!options.install_id.empty()) wanted[0].install_id = options.install_id;
  env::Environment environment = environment_for(options, wanted[0].install_id);
  auto resolver = make_resolver();
  std::vector<std::string> installed, present;
  in_context(fmt::format("installing into environment '{}'", environment.name()), [&] {
    environment.edit(
        [&](const std::string& text) { return with_packages(text, wanted, *resolver, installed, present); },
        *resolver, changing(environment, "flox install"));
  });
  if (!present.empty())
    say("! {} already installed to environment '{}'\n", quoted_list(present), environment.name());
  if (!installed.empty())
    say("✔ {} installed to environment '{}'\n", quoted_list(installed), environment.name());
}

}  // namespace

void add_install(CLI::App& app) {
  auto options = std::make_shared<InstallOptions>();
  auto* command = app.add_subcommand("install", "Add packages to an environment")->alias("i");
  command->add_option("PACKAGE", options->packages, "NAME, NAME@VERSION or a store path")->required();
  add_directory(*command, options->directory);
  command->add_option("-i,--id", options->install_id, "install id in the manifest (default: NAME)");
  command->footer("Examples:\n  flox install python3\n  flox install ticket-processor@0.0.9");
  command->callback([options] { install(*options); });
}

}  // namespace flox::cli
