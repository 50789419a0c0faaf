// flox store verify: compares files with their registered hashes, and repairs them.
#include "store/maintenance/verify.h"

#include <memory>

#include "base/error.h"
#include "base/settings/units.h"
#include "cli/store/commands.h"
#include "store/maintenance/repair.h"

namespace flox::cli {
namespace {

struct StoreVerifyOptions {
  std::vector<std::string> paths;
  std::vector<std::string> caches;
  bool no_contents = false;
  bool repair = false;
  bool json = false;
};

struct Outcome {
  store::Damage damage;
  std::string repaired;  // "yes", or why not; empty if nobody tried
};

std::vector<Outcome> repair_all(store::LocalStore& store, const std::vector<store::Damage>& damages,
                                const StoreVerifyOptions& options, const Config& config) {
  std::vector<Outcome> outcomes;
  const std::vector<std::string> caches =
      options.repair && !damages.empty() ? caches_of(config, options.caches) : std::vector<std::string>();
  for (const store::Damage& damage : damages) {
    Outcome outcome{.damage = damage, .repaired = {}};
    if (options.repair) {
      try {
        store::repair(store, damage.path, caches);
        outcome.repaired = "yes";
      } catch (const Error& error) {
        outcome.repaired = error.what();
      }
    }
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

void print(const std::vector<Outcome>& outcomes, size_t checked, const StoreVerifyOptions& options) {
  nlohmann::json json = {{"checked", checked}, {"damaged", nlohmann::json::array()}};
  for (const auto& [damage, repaired] : outcomes) {
    nlohmann::json entry = {{"path", damage.path.to_string()}, {"problem", damage.problem}};
    if (options.repair) entry["repaired"] = repaired == "yes";
    if (options.repair && repaired != "yes") entry["repair_problem"] = repaired;
    json["damaged"].push_back(entry);
    if (options.json) continue;
    fmt::print("{}: {}\n", damage.path.to_string(), damage.problem);
    if (options.repair) fmt::print("  {}\n", repaired == "yes" ? "repaired" : repaired);
  }
  if (options.json)
    print_json(json);
  else if (outcomes.empty())
    fmt::print("{}, all {}\n", count_text(checked, "path"),
               options.no_contents ? "there" : "as they were registered");
}

void verify(const StoreVerifyOptions& options) {
  const Config config = Config::load();
  store::LocalStore store = open_store(config);
  ProgressLine line;
  size_t checked = 0;
  uint64_t bytes = 0;
  const auto damages =
      store::verify(store, {.paths = to_store_paths(options.paths),
                            .contents = !options.no_contents,
                            .on_path = [&](const nix::StorePath&, uint64_t nar_size) {
                              ++checked;
                              bytes += nar_size;
                              line.show(fmt::format("{}, {}", count_text(checked, "path"), size_text(bytes)));
                            }});
  const auto outcomes = repair_all(store, damages, options, config);
  print(outcomes, checked, options);
  size_t left = 0;
  for (const Outcome& outcome : outcomes) left += outcome.repaired == "yes" ? 0 : 1;
  if (left == 0) return;
  throw Error(ErrorKind::untrusted,
              fmt::format("verifying the store: {} of {} paths are damaged", left, checked),
              options.repair ? "Pass a cache that has them with --cache, or let Nix build them again: "
                               "nix-store --repair-path PATH"
                             : "Run 'flox store verify --repair' to fetch them again.");
}

}  // namespace

void add_store_verify(CLI::App& store) {
  auto options = std::make_shared<StoreVerifyOptions>();
  auto* command =
      store.add_subcommand("verify", "Compare the files of the store with their registered hashes");
  add_paths(*command, options->paths);
  add_json(*command, options->json);
  command->add_flag("--no-contents", options->no_contents, "check only that the paths exist");
  auto* repair =
      command->add_flag("--repair", options->repair, "fetch damaged paths again from binary caches");
  command
      ->add_option("--cache", options->caches,
                   "URL of a binary cache to use in place of the configured ones; repeatable")
      ->allow_extra_args(false)
      ->needs(repair);
  command->footer(
      "Checks the whole store unless paths are given. Exit code: 1 if paths are damaged afterwards.\n\n"
      "Example:\n  flox store verify --repair --cache https://cache.example.org");
  command->callback([options] { verify(*options); });
}

}  // namespace flox::cli
