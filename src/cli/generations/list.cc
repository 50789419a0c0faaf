// flox generations list: which generations there are.
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/generations/commands.h"
#include "cli/generations/published_environment.h"
#include "cli/options.h"
#include "cli/options_of_flox.h"

namespace flox::cli {
namespace {

struct GenerationsListOptions {
  EnvironmentChoice choice;
  bool json = false;
  bool no_pager = false;  // for who comes from Flox
};

void list_generations(const GenerationsListOptions& options) {
  PublishedEnvironment published(options.choice, "listing generations");
  const auto all = published.generations();
  const int64_t here = published.origin() ? published.origin()->here.number : 0;
  nlohmann::json items = nlohmann::json::array();
  for (const auto& one : all) {
    const bool is_latest = one.number == all.front().number;
    if (options.json)
      items.push_back({{"generation", one.number},
                       {"pushed_at", one.pushed_at},
                       {"latest", is_latest},
                       {"here", one.number == here}});
    else
      fmt::print("{:>6}  {}{}{}\n", one.number, one.pushed_at, is_latest ? "  latest" : "",
                 one.number == here ? "  here" : "");
  }
  if (options.json) fmt::print("{}\n", items.dump(2));
}

}  // namespace

void add_generations_list(CLI::App& generations) {
  auto options = std::make_shared<GenerationsListOptions>();
  auto* command = generations.add_subcommand("list", "List the generations of an environment, newest first");
  add_environment_choice(*command, options->choice);
  add_json(*command, options->json);
  command->add_flag("--no-pager", options->no_pager, "as without it: nothing is paged");
  refuse_option(*command, "-t,--tree", "generations follow each other, each from the one before",
                "Run 'flox generations history' for what each changed.");
  command->footer("Examples:\n  flox generations list\n  flox generations list -r acme/web --json");
  command->callback([options] { list_generations(*options); });
}

}  // namespace flox::cli
