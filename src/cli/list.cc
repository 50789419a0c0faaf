// flox list: what is installed in an environment.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/printable.h"
#include "cli/catalog_access.h"
#include "cli/commands.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/say.h"
#include "env/environment.h"
#include "env/include.h"
#include "env/manifest_toml.h"
#include "env/merged_manifest.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

struct ListOptions {
  std::string directory = ".", reference;
  bool names = false;
  bool config = false;
  bool json = false;
  bool all = false;
  bool extended = false;  // as without it: for who comes from Flox
};

std::string inclusion_text(const std::map<std::string, std::string>& included, const std::string& id) {
  const auto found = included.find(id);
  return found == included.end() ? "" : fmt::format(", included from '{}'", printable(found->second));
}

// A member of the locked package as people read it; empty if it has none.
std::string member_text(const nlohmann::json& package, const char* name) {
  const auto found = package.find(name);
  if (found == package.end() || found->is_null()) return {};
  return printable(found->is_string() ? found->get<std::string>() : found->dump());
}

// Its outputs by name; "*": installed.
std::string outputs_text(const env::LockedPackage& package) {
  std::string text;
  for (const auto& [name, path] : package.outputs) {
    const bool installed =
        package.outputs_to_install.empty() ||
        std::ranges::find(package.outputs_to_install, name) != package.outputs_to_install.end();
    text += fmt::format("{}{}{}", text.empty() ? "" : ", ", printable(name), installed ? "*" : "");
  }
  return text;
}

void print_all(const env::LockedPackage& package) {
  const auto line = [](const char* name, const std::string& value) {
    if (!value.empty()) fmt::print("  {:<13} {}\n", fmt::format("{}:", name), value);
  };
  line("Description", printable(package.description));
  line("Path", printable(package.attr_path));
  line("Version", printable(package.version));
  line("System", printable(package.system));
  line("Group", printable(package.group));
  line("Priority", fmt::format("{}", package.priority));
  line("License", member_text(package.json, "license"));
  line("Unfree", member_text(package.json, "unfree"));
  line("Broken", member_text(package.json, "broken"));
  line("Outputs", outputs_text(package));
  line("Store path", member_text(package.json, "store_path"));
}

// A terminal is not to be commanded by a file; whoever redirects it gets its bytes.
void print_text(const std::string& text) {
  const std::string shown = ::isatty(STDOUT_FILENO) != 0 ? printable_lines(text) : text;
  std::fwrite(shown.data(), 1, shown.size(), stdout);
}

// With [include] what all the manifests come to, as Flox does.
void print_manifest(const env::Environment& environment) {
  const auto resolver = make_resolver();
  const env::ShownManifest shown = env::manifest_to_show(environment, *resolver);
  if (shown.is_merged)
    say("ℹ the manifest of environment '{}', merged with those that it includes. It is itself in {}.\n",
        environment.name(), (environment.directory() / ".flox/env/manifest.toml").string());
  print_text(shown.text);
}

void print_packages(const ListOptions& options, const env::Lockfile& lock) {
  const auto packages = lock.for_system(env::current_system());
  const auto compose = lock.other.find("compose");
  const std::map<std::string, std::string> included =
      compose == lock.other.end() ? std::map<std::string, std::string>() : env::included_packages(*compose);
  nlohmann::json items = nlohmann::json::array();
  for (const auto& package : packages) {
    if (options.json)
      items.push_back(package.json);
    else if (options.names)
      fmt::print("{}\n", printable(package.install_id));
    else
      fmt::print("{}: {} ({}){}\n", printable(package.install_id), printable(package.attr_path),
                 package.version.empty() ? "N/A" : printable(package.version),
                 inclusion_text(included, package.install_id));
    if (options.all) print_all(package);
  }
  if (options.json)
    fmt::print("{}\n", items.dump(2));
  else if (packages.empty())
    say("! no packages are installed for {}\n", env::current_system());
}

void list_published(const ListOptions& options) {
  const catalog::Pushed found = in_context("listing " + printable(options.reference, 100), [&] {
    return verified_catalog(readable_token(Config::load()), false)
        ->environment(catalog::parse_environment_name(options.reference))
        .pushed;
  });
  if (!options.config) return print_packages(options, found.lock);
  print_text(found.lock.other.contains("compose") ? env::manifest_toml(found.lock.manifest) : found.manifest);
}

void list(const ListOptions& options) {
  if (!options.reference.empty()) return list_published(options);
  const env::Environment environment = env::Environment::find(options.directory);
  if (options.config) return print_manifest(environment);
  const auto resolver = make_resolver();
  print_packages(options, lock_to_read(environment, *resolver));
}

}  // namespace

void add_list(CLI::App& app) {
  auto options = std::make_shared<ListOptions>();
  auto* command = app.add_subcommand("list", "List the packages of an environment")->alias("l");
  add_directory(*command, options->directory);
  add_reference(*command, options->reference);
  auto* names = command->add_flag("-n,--name", options->names, "print install ids only");
  auto* config = command
                     ->add_flag("-c,--config", options->config,
                                "print the manifest: with [include], merged, without comments")
                     ->excludes(names);
  auto* json = command->add_flag("--json", options->json, "print the locked packages as JSON")
                   ->excludes(names)
                   ->excludes(config);
  command
      ->add_flag("-a,--all", options->all, "print also priority, group, license and outputs (*: installed)")
      ->excludes(names)
      ->excludes(config)
      ->excludes(json);
  command
      ->add_flag("-e,--extended", options->extended,
                 "print install id, package and version: as without options")
      ->excludes(names)
      ->excludes(config)
      ->excludes(json);
  command->footer("Examples:\n  flox list\n  flox list --json | jq '.[].version'\n  flox list -r acme/web");
  command->callback([options] { list(*options); });
}

}  // namespace flox::cli
