// flox envs: which environments there are on this machine.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/os/process.h"
#include "base/printable.h"
#include "cli/commands.h"
#include "cli/known_environments.h"
#include "cli/options.h"
#include "cli/say.h"
#include "env/activation.h"
#include "env/environment.h"

namespace flox::cli {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct EnvsOptions {
  bool active = false, json = false;
};

struct ListedEnvironment {
  std::string name;
  fs::path directory;
  std::optional<env::Origin> origin;
  bool has_local_changes = false;
  bool is_active = false;
};

ListedEnvironment described(const env::Environment& environment) {
  ListedEnvironment listed{.name = environment.name(), .directory = environment.directory(), .origin = {}};
  try {
    listed.origin = environment.origin();
    listed.has_local_changes =
        listed.origin && env::content_digest(env::read_environment_files(environment.directory())) !=
                             listed.origin->here.digest;
  } catch (const Error& error) {
    log::warning("{}", error.what());
  }
  return listed;
}

std::vector<ListedEnvironment> all_environments() {
  std::vector<ListedEnvironment> result;
  const std::vector<fs::path> active = env::active_projects(environment_for_children());
  const auto is_of = [](const fs::path& directory) {
    return [&directory](const ListedEnvironment& one) { return one.directory == directory; };
  };
  for (const fs::path& directory : active) {
    if (std::ranges::any_of(result, is_of(directory))) continue;
    const auto environment = environment_at(directory);
    if (!environment) continue;
    result.push_back(described(*environment));
    result.back().is_active = true;
  }
  for (const env::Environment& environment : known_environments())
    if (std::ranges::none_of(result, is_of(environment.directory())))
      result.push_back(described(environment));
  return result;
}

json as_json(const ListedEnvironment& one) {
  json pointer = {{"name", one.name}, {"version", 1}};
  if (one.origin) pointer["owner"] = one.origin->owner;
  json result = {{"type", "dot-flox"},
                 {"path", (one.directory / ".flox").string()},
                 {"pointer", pointer},
                 {"directory", one.directory.string()},
                 {"origin", nullptr}};
  if (one.origin)
    result["origin"] = {{"catalog", one.origin->catalog},
                        {"owner", one.origin->owner},
                        {"name", one.origin->name},
                        {"generation", one.origin->here.number},
                        {"local_changes", one.has_local_changes}};
  return result;
}

std::string origin_text(const ListedEnvironment& one) {
  if (!one.origin) return "";
  return fmt::format("  {}:{}{}", one.origin->reference(), one.origin->here.number,
                     one.has_local_changes ? ", changed here" : "");
}

void print_environments(const std::vector<ListedEnvironment>& environments) {
  size_t widest = 0;
  for (const auto& one : environments) widest = std::max(widest, one.name.size());
  for (const auto& one : environments)
    fmt::print("{} {:<{}}  {}{}\n", one.is_active ? "*" : " ", one.name, widest,
               printable(one.directory.string()), origin_text(one));
}

void envs(const EnvsOptions& options) {
  std::vector<ListedEnvironment> environments = all_environments();
  if (options.active) std::erase_if(environments, [](const auto& one) { return !one.is_active; });
  if (options.json) {
    json active = json::array(), inactive = json::array();
    for (const auto& one : environments) (one.is_active ? active : inactive).push_back(as_json(one));
    // A directory's name need not be UTF-8.
    fmt::print("{}\n", (options.active ? active : json{{"active", active}, {"inactive", inactive}})
                           .dump(2, ' ', false, json::error_handler_t::replace));
  } else if (environments.empty()) {
    say("ℹ {}\n", options.active ? "no environment is active" : "no environments are known here");
  } else {
    print_environments(environments);
  }
}

}  // namespace

void add_envs(CLI::App& app) {
  auto options = std::make_shared<EnvsOptions>();
  auto* command = app.add_subcommand("envs", "List the environments on this machine");
  command->add_flag("--active", options->active, "only those that are active in this shell");
  add_json(*command, options->json);
  command->footer(
      "Those that you have made, pulled, changed or activated, with their directories and where they came "
      "from:\n"
      "OWNER/NAME:GENERATION. Those that are active are marked with *, the last one first.\n\n"
      "Examples:\n  flox envs\n  flox envs --json | jq -r '.inactive[].directory'");
  command->callback([options] { envs(*options); });
}

}  // namespace flox::cli
