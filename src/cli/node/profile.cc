// flox node profile: what starts on this node have read, from here to other nodes and to the catalog.
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/file.h"
#include "base/settings/units.h"
#include "catalog/environment_name.h"
#include "catalog/start_profile.h"
#include "cli/catalog_options.h"
#include "cli/node/commands.h"
#include "cli/options.h"
#include "cli/say.h"
#include "node/floxd/config.h"
#include "node/installer/state_names.h"
#include "node/lazy/start_profiles.h"

namespace flox::cli {
namespace {

using catalog::StartProfile;
using nlohmann::ordered_json;
using node::StartProfiles;

StartProfiles start_profiles() {
  return StartProfiles(Config::load().root / "var/lib/flox" / node::state::lazy_profiles);
}

std::vector<std::string> package_names(const StartProfile& profile) {
  std::vector<std::string> names;
  for (const nix::StorePath& package : profile.packages) names.emplace_back(package.name());
  return names;
}

std::string sizes_text(const StartProfile& profile) {
  const StartProfile::Size size = profile.size();
  return fmt::format("{} of files of {}, {}", count_text(size.ranges, "part"),
                     count_text(profile.paths.size(), "path"), size_text(size.bytes));
}

void list_profiles(bool json) {
  const StartProfiles profiles = start_profiles();
  ordered_json list = ordered_json::array();
  for (const std::string& key : profiles.keys()) {
    const StartProfile profile = profiles.read(key);
    const StartProfile::Size size = profile.size();
    if (json)
      list.push_back({{"key", key},
                      {"packages", package_names(profile)},
                      {"paths", profile.paths.size()},
                      {"ranges", size.ranges},
                      {"bytes", size.bytes}});
    else
      fmt::print("{} {}: {}\n", key, fmt::join(package_names(profile), ", "), sizes_text(profile));
  }
  if (json) fmt::print("{}\n", ordered_json{{"profiles", list}}.dump(2));
}

void export_profile(const std::string& key) {
  const StartProfile profile = start_profiles().read(key);
  if (profile.packages.empty())
    throw Error(ErrorKind::not_found, fmt::format("the profile {} does not say of which packages it is", key),
                "An earlier floxd has kept it. The next start of its environment keeps it anew.");
  fmt::print("{}\n", profile.to_text());
}

void import_profile(const std::string& file) {
  in_context(fmt::format("taking the start profile {}", file), [&] {
    const StartProfile profile = StartProfile::parse(read_file(file, StartProfile::most_bytes));
    StartProfiles profiles = start_profiles();
    const std::string key = profiles.import(profile);
    say("✔ {} {}: {}\n", key, fmt::join(package_names(profile), ", "), sizes_text(profiles.read(key)));
  });
}

// "-": standard input.
StartProfile profile_in(const std::string& file) {
  return StartProfile::parse(read_file(file == "-" ? "/dev/stdin" : file, StartProfile::most_bytes));
}

// What pods name: a generation or a version has none of its own.
void check_published_name(const std::string& name) {
  if (catalog::is_environment_name(name)) {
    if (catalog::parse_environment_name(name).generation)
      fail_usage(fmt::format("'{}': a start profile is of all generations", name),
                 "Name the environment as OWNER/NAME.");
  } else if (name.find('@') != std::string::npos) {
    fail_usage(fmt::format("'{}': a start profile is of all versions", name), "Name the package alone.");
  }
}

void publish_profile(const CatalogOptions& catalog, const std::string& file, const std::string& name) {
  check_published_name(name);
  in_context(fmt::format("publishing the start profile {}", file), [&] {
    const StartProfile profile = profile_in(file);
    const StartProfile::Size now = client_of(catalog).publish_start_profile(name, profile);
    say("✔ {}: {} of files sent, {} published, {}\n", name, count_text(profile.size().ranges, "part"),
        count_text(now.ranges, "part"), size_text(now.bytes));
  });
}

void unpublish_profile(const CatalogOptions& catalog, const std::string& name) {
  check_published_name(name);
  client_of(catalog).remove_start_profile(name);
  say("✔ {} has no published start profile any more\n", name);
}

}  // namespace

void add_node_profile(CLI::App& node) {
  auto* group =
      node.add_subcommand("profile", "Take what starts have read from one node to others, or to the catalog");
  group->require_subcommand(1);
  group->footer(
      "floxd keeps which parts of which files an environment's starts have read, and fetches these first "
      "when "
      "the\nenvironment starts again before its files are there (flox.dev/lazy). A profile says what the "
      "environment\nreads: show it to nobody who may not see the environment.\n\n"
      "The catalog gives a published profile to each node that starts the environment or the package in this "
      "way and\nhas not started the same version before. It shows it to who may see that. Publishing adds to "
      "what is there.\n\n"
      "Example:\n  flox node profile list");

  auto json = std::make_shared<bool>(false);
  auto* list = group->add_subcommand("list", "List the start profiles of this node");
  add_json(*list, *json);
  list->footer("Example:\n  flox node profile list --json");
  list->callback([json] { list_profiles(*json); });

  auto key = std::make_shared<std::string>();
  auto* exported = group->add_subcommand("export", "Print a start profile for another node");
  exported->add_option("KEY", *key, "the profile, as 'flox node profile list' shows it")->required();
  exported->footer("Example:\n  flox node profile export 5qwxpfnlhcdnpm0h3xnq8nmq2y3zlxv7 >web.profile");
  exported->callback([key] { export_profile(*key); });

  auto file = std::make_shared<std::string>();
  auto* imported =
      group->add_subcommand("import", "Take a start profile of another node, with what this one has");
  imported->add_option("FILE", *file, "what 'flox node profile export' printed")->required();
  imported->footer("Example:\n  flox node profile import web.profile");
  imported->callback([file] { import_profile(*file); });

  struct Publishing {
    CatalogOptions catalog;
    std::string file, name;
  };
  auto publishing = std::make_shared<Publishing>();
  auto* published =
      group->add_subcommand("publish", "Add a start profile to what the catalog gives to nodes");
  published
      ->add_option("FILE", publishing->file, "what 'flox node profile export' printed; - is standard input")
      ->required();
  published->add_option("NAME", publishing->name, "what the pods name: OWNER/NAME, or a package")->required();
  add_catalog_options(*published, publishing->catalog);
  published->footer(
      "Examples:\n  flox node profile publish web.profile acme/web\n"
      "  flox node profile export KEY | flox node profile publish - acme/web");
  published->callback(
      [publishing] { publish_profile(publishing->catalog, publishing->file, publishing->name); });

  auto* unpublished = group->add_subcommand(
      "unpublish", "Remove the start profile of an environment or a package from the catalog");
  unpublished->add_option("NAME", publishing->name, "what the pods name: OWNER/NAME, or a package")
      ->required();
  add_catalog_options(*unpublished, publishing->catalog);
  unpublished->footer("Example:\n  flox node profile unpublish acme/web");
  unpublished->callback([publishing] { unpublish_profile(publishing->catalog, publishing->name); });
}

}  // namespace flox::cli
