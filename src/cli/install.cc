// flox install: adds packages to an environment.
#include <algorithm>
#include <memory>

#include "base/command_line/program.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/quoted_list.h"
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
    fmt::print(stderr, "⚡︎ Created environment '{}' in {}: there was none\n", made.name(),
               made.directory().string());
    return made;
  }
}

void install(const InstallOptions& options) {
  if (!options.install_id.empty() && options.packages.size() != 1)
    fail_usage("--id names one package, and several are given", "Install them one by one.");
  std::vector<env::NamedPackage> wanted;
  for (const auto& text : options.packages) wanted.push_back(env::parse_package(text));
  if (!options.install_id.empty()) wanted[0].install_id = options.install_id;
  env::Environment environment = environment_for(options, wanted[0].install_id);
  env::Manifest manifest = environment.manifest();

  std::string text = environment.manifest_text();
  std::vector<std::string> installed;
  std::vector<std::string> present;
  for (const auto& [id, descriptor] : wanted) {
    auto it = manifest.install.find(id);
    bool same = it != manifest.install.end() && it->second.pkg_path == descriptor.pkg_path &&
                it->second.version == descriptor.version && it->second.store_path == descriptor.store_path;
    (same ? present : installed).push_back(id);
    if (!same) text = env::with_install(text, id, descriptor);
  }
  auto resolver = make_resolver();
  in_context(fmt::format("installing into environment '{}'", environment.name()), [&] {
    env::Lockfile lock = installed.empty() ? environment.lock(*resolver) : environment.edit(text, *resolver);
    present_profile(environment, lock, environment.manifest().activate_mode);
  });
  if (!present.empty())
    fmt::print(stderr, "! {} already installed to environment '{}'\n", quoted_list(present),
               environment.name());
  if (!installed.empty())
    fmt::print(stderr, "✔ {} installed to environment '{}'\n", quoted_list(installed), environment.name());
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
