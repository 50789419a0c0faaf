// flox store copy: copies closures to and from a binary cache.
#include <memory>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/net/url.h"
#include "base/settings/units.h"
#include "cli/publishing.h"
#include "cli/store/commands.h"
#include "store/cache/upload.h"
#include "store/realise/realise.h"

namespace flox::cli {
namespace {

struct StoreCopyOptions {
  std::vector<std::string> paths;
  std::string to;
  std::string from;
  std::string key;
  std::vector<std::string> trusted_keys;
  store::Compression compression;
  bool listings = false;
  bool json = false;
};

// Whether the URL is the catalog's or below it; "http://catalog.example" is not above
// "http://catalog.example.org".
bool is_at_catalog(const std::string& url, const Config& config) {
  if (config.catalog_url.empty() || !(url.starts_with("http://") || url.starts_with("https://")))
    return false;
  const HttpUrl catalog = HttpUrl::parse(config.catalog_url);
  const HttpUrl cache = HttpUrl::parse(url);
  const std::string directory = catalog.target.ends_with('/') ? catalog.target : catalog.target + "/";
  return cache.origin() == catalog.origin() && (cache.target + "/").starts_with(directory);
}

void copy_to(const StoreCopyOptions& options, const Config& config) {
  const std::string key_file = options.key.empty() ? config.signing_private_key : options.key;
  std::optional<nix::SecretKey> key;
  if (!key_file.empty()) key = read_signing_key(key_file);
  // The token is the catalog's; no other server shall see it.
  const auto cache =
      store::BinaryCache::open(options.to, is_at_catalog(options.to, config) ? config.token() : Secret());
  const nix::StorePathSet paths = to_store_paths(options.paths);
  const store::LocalStore store = open_store(config);
  const nix::StorePathSet closure = store.closure(paths);
  for (const nix::StorePath& path : closure)
    if (!key && info_of(store, path).signatures.empty())
      throw Error(ErrorKind::untrusted, fmt::format("uploading: {} has no signature", path.to_string()),
                  "Pass --key FILE, or set FLOX_SIGNING_PRIVATE_KEY, or signing_private_key in "
                  "/etc/flox/config.toml. 'flox store keygen NAME --out FILE' makes a key.");
  ProgressLine line;
  store::UploadOptions how{
      .key = key ? &*key : nullptr, .compression = options.compression, .listings = options.listings};
  if (line.shown())
    how.on_progress = [&](const store::UploadProgress& progress) {
      line.show(fmt::format("{} of {} paths, {} of {}", progress.paths_done, progress.paths_total,
                            size_text(progress.bytes_done), size_text(progress.bytes_total)));
    };
  const store::UploadResult result = store::upload_closure(store, *cache, closure, how);
  if (options.json)
    print_json({{"paths_uploaded", result.paths_uploaded},
                {"paths_present", result.paths_present},
                {"bytes_uploaded", result.bytes_uploaded}});
  else
    fmt::print("{} uploaded ({:.1f} MB), {} already there\n", count_text(result.paths_uploaded, "path"),
               static_cast<double>(result.bytes_uploaded) / 1e6, result.paths_present);
}

void copy_from(const StoreCopyOptions& options, const Config& config) {
  store::RealiseOptions how{.caches = {options.from},
                            .trusted_keys = nix::TrustedKeys(config.trusted_keys),
                            .trust_content_addressed = config.trust_content_addressed};
  for (const std::string& key : options.trusted_keys) how.trusted_keys.add(nix::PublicKey::parse(key));
  store::LocalStore store = open_store(config);
  const store::RealiseResult result = store::realise(store, to_store_paths(options.paths), how);
  if (options.json)
    print_json({{"paths_fetched", result.paths_fetched}, {"bytes_fetched", result.bytes_fetched}});
  else
    fmt::print("{} fetched ({:.1f} MB), {} already there\n", count_text(result.paths_fetched, "path"),
               static_cast<double>(result.bytes_fetched) / 1e6, result.closure.size() - result.paths_fetched);
}

void copy(const StoreCopyOptions& options) {
  const Config config = Config::load();
  if (options.to.empty() == options.from.empty())
    fail_usage("flox store copy: pass either --to or --from", "Both take the URL of a binary cache.");
  options.to.empty() ? copy_from(options, config) : copy_to(options, config);
}

}  // namespace

void add_store_copy(CLI::App& store) {
  auto options = std::make_shared<StoreCopyOptions>();
  auto* command = store.add_subcommand("copy", "Copy closures to a binary cache, or from one");
  add_paths(*command, options->paths)->required();
  add_json(*command, options->json);
  auto* to = command->add_option("--to", options->to,
                                 "URL of the cache to upload to: http://, https:// or file:///");
  auto* from = command->add_option("--from", options->from, "URL of the cache to fetch from")->excludes(to);
  command
      ->add_option("--key", options->key,
                   "file (mode 600) with the secret key to sign with (default: signing_private_key of the "
                   "configuration)")
      ->excludes(from);
  command
      ->add_option("--trusted-key", options->trusted_keys,
                   "public key to trust in addition to the configured ones; repeatable")
      ->allow_extra_args(false)
      ->excludes(to);
  command->add_option("--compression", options->compression.method, "compression method: zstd, xz or none")
      ->capture_default_str()
      ->excludes(from);
  command
      ->add_option("--level", options->compression.level, "compression level (default: 3 for zstd, 6 for xz)")
      ->excludes(from);
  command->add_flag("--listings", options->listings, "upload a list of the files in each NAR too (DIGEST.ls)")
      ->excludes(from);
  command->footer(
      "Examples:\n  flox store copy --to file:///srv/cache --key cache.key /nix/store/…-web\n"
      "  flox store copy --from https://cache.example.org --trusted-key cache.example.org-1:… "
      "/nix/store/…-web");
  command->callback([options] { copy(*options); });
}

}  // namespace flox::cli
