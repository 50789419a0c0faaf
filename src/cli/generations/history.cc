// flox generations history: what each generation changed.
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/generation_files.h"
#include "cli/generations/commands.h"
#include "cli/generations/published_environment.h"
#include "cli/options.h"
#include "env/lock_difference.h"

namespace flox::cli {
namespace {

struct GenerationsHistoryOptions {
  EnvironmentChoice choice;
  size_t count = 10;
  bool json = false;
};

void print_entry(const catalog::Pushed& one, const std::optional<catalog::Pushed>& before,
                 const std::string& first_text) {
  fmt::print("Generation {}, {}{}\n", one.generation, one.pushed_at,
             before
                 ? fmt::format(", after {}:{}", before->generation, difference_text(before->lock, one.lock))
                 : first_text);
}

void show_history(const GenerationsHistoryOptions& options) {
  PublishedEnvironment published(options.choice, "reading the history");
  const auto all = published.generations();
  nlohmann::json items = nlohmann::json::array();
  catalog::Pushed one = published.generation(all[0].number);
  for (size_t i = 0; i < std::min(options.count, all.size()); ++i) {
    std::optional<catalog::Pushed> before;
    if (i + 1 < all.size()) before = published.generation(all[i + 1].number);
    if (options.json)
      items.push_back(
          {{"generation", one.generation},
           {"pushed_at", one.pushed_at},
           {"previous", before ? nlohmann::json(before->generation) : nlohmann::json()},
           {"changes", before ? env::lock_differences(before->lock, one.lock) : std::vector<std::string>()}});
    else
      print_entry(one, before, one.generation == 1 ? ", the first" : ", the oldest that is kept");
    if (before) one = std::move(*before);
  }
  if (options.json) fmt::print("{}\n", items.dump(2));
}

}  // namespace

void add_generations_history(CLI::App& generations) {
  auto options = std::make_shared<GenerationsHistoryOptions>();
  auto* command = generations.add_subcommand("history", "Show what each generation changed, newest first");
  add_environment_choice(*command, options->choice);
  command->add_option("-n,--count", options->count, "how many of them (default: 10)")
      ->check(CLI::Range(1, 1000));
  add_json(*command, options->json);
  command->footer("Example:\n  flox generations history -n 3");
  command->callback([options] { show_history(*options); });
}

}  // namespace flox::cli
