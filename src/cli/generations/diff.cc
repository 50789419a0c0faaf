// flox generations diff: what distinguishes two generations, or what is here from one.
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/generations/commands.h"
#include "cli/generations/published_environment.h"
#include "cli/options.h"
#include "cli/say.h"
#include "env/lock_difference.h"

namespace flox::cli {
namespace {

struct GenerationsDiffOptions {
  EnvironmentChoice choice;
  std::string from = "here", to = "latest";
  bool json = false;
};

env::Lockfile lock_named(PublishedEnvironment& published, const std::string& name) {
  if (name == "latest") return published.generation().lock;
  if (name != "here") return published.generation(parse_generation(name)).lock;
  if (published.environment())
    if (auto lock = published.environment()->lockfile()) return *lock;
  throw Error(ErrorKind::invalid_input,
              fmt::format("{}: there is no locked environment here", published.doing()),
              "Name two generations: flox generations diff 1 2.");
}

void show_difference(const GenerationsDiffOptions& options) {
  PublishedEnvironment published(options.choice, "comparing generations");
  const auto lines =
      env::lock_differences(lock_named(published, options.from), lock_named(published, options.to));
  if (options.json) {
    fmt::print("{}\n", nlohmann::json(lines).dump(2));
    return;
  }
  for (const std::string& line : lines) fmt::print("{}\n", line);
  if (lines.empty()) say("ℹ no package and no table of the manifest differs\n");
}

}  // namespace

void add_generations_diff(CLI::App& generations) {
  auto options = std::make_shared<GenerationsDiffOptions>();
  auto* command = generations.add_subcommand("diff", "Show what changes from one generation to another");
  command->add_option("FROM", options->from,
                      "a generation, latest, or here: what is locked here (default: here)");
  command->add_option("TO", options->to, "the same (default: latest)");
  add_environment_choice(*command, options->choice);
  add_json(*command, options->json);
  command->footer(
      "Examples:\n  flox generations diff                    what flox pull would change\n"
      "  flox generations diff latest here        what flox push would change\n"
      "  flox generations diff 1 2 -r acme/web");
  command->callback([options] { show_difference(*options); });
}

}  // namespace flox::cli
