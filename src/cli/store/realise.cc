// flox store realise: fetches the missing paths of closures from binary caches.
#include "store/realise/realise.h"

#include <memory>

#include "base/error.h"
#include "base/settings/units.h"
#include "cli/store/commands.h"

namespace flox::cli {
namespace {

struct StoreRealiseOptions {
  std::vector<std::string> paths;
  std::vector<std::string> caches;
  std::vector<std::string> trusted_keys;
  std::string memory;
  bool sync = false;
  bool json = false;
};

void realise(const StoreRealiseOptions& options) {
  const Config config = Config::load();
  ProgressLine line;
  store::RealiseOptions how{.caches = caches_of(config, options.caches),
                            .trusted_keys = nix::TrustedKeys(config.trusted_keys),
                            .trust_content_addressed = config.trust_content_addressed,
                            .sync = options.sync};
  if (!options.memory.empty())
    how.memory = in_context("--memory", [&] { return parse_size(options.memory); });
  for (const std::string& key : options.trusted_keys) how.trusted_keys.add(nix::PublicKey::parse(key));
  if (line.shown()) how.on_progress = [&](const store::RealiseProgress& progress) { line.show(progress); };
  const nix::StorePathSet paths = to_store_paths(options.paths);
  store::LocalStore store = open_store(config);
  const store::RealiseResult result = store::realise(store, paths, how);
  if (options.json)
    print_json({{"paths_fetched", result.paths_fetched},
                {"bytes_fetched", result.bytes_fetched},
                {"closure", to_json(result.closure)}});
  else
    for (const nix::StorePath& path : paths) fmt::print("{}\n", path.to_string());
}

}  // namespace

void add_store_realise(CLI::App& store) {
  auto options = std::make_shared<StoreRealiseOptions>();
  auto* command = store.add_subcommand("realise", "Fetch the missing paths of closures from binary caches");
  add_paths(*command, options->paths)->required();
  add_json(*command, options->json);
  command
      ->add_option("--cache", options->caches,
                   "URL of a binary cache to use in place of the configured ones; repeatable")
      ->allow_extra_args(false);
  command
      ->add_option("--trusted-key", options->trusted_keys,
                   "public key to trust in addition to the configured ones; repeatable")
      ->allow_extra_args(false);
  command->add_option(
      "--memory", options->memory,
      "memory limit for downloads in flight: 64M, 1G (default: 256M); below 218M files that were compressed "
      "with the largest windows are refused");
  command->add_flag(
      "--sync", options->sync,
      "wait until all files are on the disk (default: the system writes them later, and what a power "
      "failure damages is found and fetched again)");
  command->footer("Example:\n  flox store realise --cache https://cache.example.org /nix/store/…-web");
  command->callback([options] { realise(*options); });
}

}  // namespace flox::cli
