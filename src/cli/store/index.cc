// flox store index: makes indexes for the NARs of a binary cache.
#include <memory>

#include "base/error.h"
#include "base/settings/units.h"
#include "cli/publishing.h"
#include "cli/store/commands.h"
#include "store/cache/index_cache.h"

namespace flox::cli {
namespace {

struct StoreIndexOptions {
  std::string cache;
  std::vector<std::string> paths;
  std::string key;
  int level = 0;
  bool json = false;
};

void index(const StoreIndexOptions& options) {
  const Config config = Config::load();
  const std::string file = options.key.empty() ? config.signing_private_key : options.key;
  if (file.empty())
    throw Error(ErrorKind::invalid_input, "making indexes: no signing key is configured",
                "Pass --key FILE, or set FLOX_SIGNING_PRIVATE_KEY, or signing_private_key in "
                "/etc/flox/config.toml. 'flox store keygen NAME --out FILE' makes a key.");
  const nix::SecretKey key = read_signing_key(file);
  const auto cache = store::BinaryCache::open(options.cache);
  ProgressLine line;
  store::IndexCacheOptions how{.key = &key, .level = options.level};
  if (line.shown())
    how.on_progress = [&](uint64_t done, uint64_t total) {
      line.show(fmt::format("{} of {} paths", done, total));
    };
  const store::IndexCacheResult result = store::index_cache(*cache, to_store_paths(options.paths), how);
  if (options.json)
    print_json({{"paths_indexed", result.indexed},
                {"paths_present", result.present},
                {"bytes_written", result.bytes}});
  else
    fmt::print("{} indexed ({} written), {} had an index\n", count_text(result.indexed, "path"),
               size_text(result.bytes), result.present);
}

}  // namespace

void add_store_index(CLI::App& store) {
  auto options = std::make_shared<StoreIndexOptions>();
  auto* command =
      store.add_subcommand("index", "Make indexes for the NARs of a binary cache that you mirror");
  command
      ->add_option("CACHE", options->cache,
                   "URL of the cache, which is written to: file:///srv/cache, s3://…")
      ->required();
  add_paths(*command, options->paths)
      ->description("store paths whose closures get indexes (default: all of a cache that is a directory)");
  add_json(*command, options->json);
  command->add_option("--key", options->key,
                      "file (mode 600) with the secret key to sign the indexes with (default: "
                      "signing_private_key of the configuration)");
  command->add_option("--level", options->level, "compression level of zstd (default: 3)");
  command->footer(
      "Each NAR is compressed again, by zstd in frames, and its narinfo names the new file; the old files "
      "stay. Signatures\n"
      "of the paths stay as they are. Nodes use an index if they trust the key that signed it.\n\n"
      "Example:\n  flox store index file:///srv/mirror --key mirror.key");
  command->callback([options] { index(*options); });
}

}  // namespace flox::cli
