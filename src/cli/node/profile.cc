// flox node profile: what starts on this node have read, from here to other nodes.
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/file.h"
#include "base/settings/units.h"
#include "cli/node/commands.h"
#include "cli/options.h"
#include "cli/say.h"
#include "node/floxd/config.h"
#include "node/installer/state_names.h"
#include "node/lazy/start_profiles.h"

namespace flox::cli {
namespace {

using nlohmann::ordered_json;
using node::StartProfile;
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

}  // namespace

void add_node_profile(CLI::App& node) {
  auto* group = node.add_subcommand("profile", "Take what starts have read from one node to others");
  group->require_subcommand(1);
  group->footer(
      "floxd keeps which parts of which files an environment's starts have read, and fetches these first "
      "when "
      "the\nenvironment starts again before its files are there (flox.dev/lazy). A profile says what the "
      "environment\nreads: show it to nobody who may not see the environment.\n\n"
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
}

}  // namespace flox::cli
