// flox install, flox uninstall: packages of an environment.
#include <algorithm>
#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/services.h"
#include "env/environment.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> packages;
  std::string directory = ".";
  std::string install_id;
};

std::string listed(const std::vector<std::string>& names) {
  std::vector<std::string> quoted;
  for (const auto& name : names) quoted.push_back("'" + name + "'");
  return fmt::format("{}", fmt::join(quoted, ", "));
}

// The environment to install into. In a pod without one, a new one named after the package: the guide's
// variants run a bare `flox install ticket-processor-avx2`.
env::Environment environment_for(const Options& options, const std::string& first_id) {
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

void install(const Options& options) {
  if (!options.install_id.empty() && options.packages.size() != 1)
    throw Error(ErrorKind::invalid_input, "--id names one package, and several are given",
                "install them one by one");
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
    fmt::print(stderr, "! {} already installed to environment '{}'\n", listed(present), environment.name());
  if (!installed.empty())
    fmt::print(stderr, "✔ {} installed to environment '{}'\n", listed(installed), environment.name());
}

void uninstall(const Options& options) {
  env::Environment environment = env::Environment::find(options.directory);
  env::Manifest manifest = environment.manifest();
  std::string text = environment.manifest_text();
  for (const auto& id : options.packages) {
    if (!manifest.install.contains(id))
      throw Error(ErrorKind::not_found,
                  fmt::format("'{}' is not installed in environment '{}'", id, environment.name()),
                  "see: flox list");
    text = env::without_install(text, id);
  }
  auto resolver = make_resolver();
  environment.edit(text, *resolver);
  fmt::print(stderr, "━ {} uninstalled from environment '{}'\n", listed(options.packages),
             environment.name());
}

}  // namespace

void add_install(CLI::App& app) {
  auto options = std::make_shared<Options>();
  auto* add = app.add_subcommand("install", "Add packages to an environment")->alias("i");
  add->add_option("PACKAGE", options->packages, "NAME, NAME@VERSION or a store path")->required();
  add->add_option("-d,--dir", options->directory, "the environment's directory (default: the current one)");
  add->add_option("-i,--id", options->install_id, "install id to use in the manifest");
  add->footer("Examples:\n  flox install python3\n  flox install ticket-processor@0.0.9");
  add->callback([options] { install(*options); });

  auto* remove =
      app.add_subcommand("uninstall", "Take packages out of an environment")->alias("rm")->alias("remove");
  remove->add_option("ID", options->packages, "install ids, as flox list shows them")->required();
  remove->add_option("-d,--dir", options->directory,
                     "the environment's directory (default: the current one)");
  remove->callback([options] { uninstall(*options); });
}

}  // namespace flox::cli
