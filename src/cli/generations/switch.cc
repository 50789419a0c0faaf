// flox generations switch and rollback: another generation in the environment's directory.
#include <algorithm>
#include <memory>

#include "base/error.h"
#include "cli/generation_files.h"
#include "cli/generations/commands.h"
#include "cli/generations/published_environment.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/say.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

struct GenerationsSwitchOptions {
  std::string directory = ".";
  std::string generation;
  bool force = false;
};

// The packages come first; then manifest, lock and origin change together.
void switch_to(PublishedEnvironment& published, int64_t number, const GenerationsSwitchOptions& options) {
  const env::Environment& environment = *published.environment();
  const catalog::Pushed latest = published.generation();
  const catalog::Pushed wanted = number == latest.generation ? latest : published.generation(number);
  const env::Origin origin = origin_of(Config::load().catalog_url, published.name(), mark_of(wanted),
                                       mark_of(latest), published.origin());
  environment.check_out({.manifest = wanted.manifest, .lock = wanted.lock, .origin = origin},
                        may_replace(environment, {.doing = published.doing(),
                                                  .name = published.name(),
                                                  .generation = wanted,
                                                  .force = options.force}),
                        changing(environment, "flox generations switch"));
  say("✔ {} is generation {} of {}{}\n", environment.directory().string(), number,
      published.name().to_string(),
      number == latest.generation
          ? ", the latest"
          : fmt::format("; the latest is {}. 'flox push' publishes this one anew", latest.generation));
}

void switch_generation(const GenerationsSwitchOptions& options) {
  const int64_t number = parse_generation(options.generation);
  PublishedEnvironment published({.directory = options.directory, .reference = {}},
                                 fmt::format("switching to generation {}", number));
  switch_to(published, number, options);
}

// What was here before; if that is not known, or is gone, the next older one.
int64_t previous_generation(PublishedEnvironment& published) {
  const env::Origin& origin = *published.origin();
  const auto all = published.generations();
  const auto is = [](int64_t number) {
    return [number](const catalog::ListedGeneration& one) { return one.number == number; };
  };
  if (origin.previous > 0 && std::ranges::any_of(all, is(origin.previous))) return origin.previous;
  const auto older =
      std::ranges::find_if(all, [&](const auto& one) { return one.number < origin.here.number; });
  if (older == all.end())
    fail(ErrorKind::not_found, "{}: {} has no generation before {}", published.doing(),
         published.name().to_string(), origin.here.number);
  return older->number;
}

void rollback_generation(const GenerationsSwitchOptions& options) {
  PublishedEnvironment published({.directory = options.directory, .reference = {}}, "rolling back");
  switch_to(published, previous_generation(published), options);
}

void add_force(CLI::App& command, bool& force) {
  command.add_flag("-f,--force", force, "give up what was changed here");
}

}  // namespace

void add_generations_switch(CLI::App& generations) {
  auto options = std::make_shared<GenerationsSwitchOptions>();
  auto* command = generations.add_subcommand("switch", "Put a generation into the environment's directory");
  command->add_option("GENERATION", options->generation, "its number, as flox generations list shows it")
      ->required();
  add_directory(*command, options->directory);
  add_force(*command, options->force);
  command->footer(
      "The catalog does not change. 'flox pull' goes back to the latest generation, and 'flox push' "
      "publishes what\n"
      "was switched to as the next one.\n\n"
      "Example:\n  flox generations switch 3");
  command->callback([options] { switch_generation(*options); });
}

void add_generations_rollback(CLI::App& generations) {
  auto options = std::make_shared<GenerationsSwitchOptions>();
  auto* command = generations.add_subcommand("rollback", "Switch to the generation that was here before");
  add_directory(*command, options->directory);
  add_force(*command, options->force);
  command->footer(
      "Twice in a row it goes back and forth. If nothing was here before, it is the next older "
      "generation.\n\n"
      "Example:\n  flox generations rollback && flox push");
  command->callback([options] { rollback_generation(*options); });
}

}  // namespace flox::cli
