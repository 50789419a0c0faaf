#include "cli/publishing.h"

#include "base/config.h"
#include "base/error.h"
#include "base/file.h"

namespace flox::cli {
namespace {

// The options, completed from the configuration.
PublishTo complete(PublishTo to) {
  Config config = Config::load();
  if (to.catalog_url.empty()) to.catalog_url = config.catalog_url;
  if (to.token.empty()) to.token = config.catalog_token;
  if (to.key_file.empty()) to.key_file = config.signing_key_file;
  if (to.catalog_url.empty())
    throw Error(ErrorKind::invalid_input, "publishing: no catalog is named",
                "set FLOX_CATALOG_URL or pass --catalog URL");
  if (to.key_file.empty())
    throw Error(ErrorKind::invalid_input, "publishing: no signing key is named",
                "make one with: flox store keygen NAME --out FILE; then set FLOX_SIGNING_PRIVATE_KEY or pass "
                "--signing-private-key FILE");
  return to;
}

nix::SecretKey read_key(const std::string& file) {
  return in_context("reading the signing key", [&] { return nix::SecretKey::parse(read_file(file)); });
}

}  // namespace

void add_publish_options(CLI::App& command, PublishTo& to) {
  command.add_option("--catalog", to.catalog_url, "the catalog's URL (FLOX_CATALOG_URL)");
  command.add_option("--token", to.token, "the catalog's token (FLOX_CATALOG_TOKEN)");
  command.add_option("--signing-private-key", to.key_file,
                     "file with the key to sign with (FLOX_SIGNING_PRIVATE_KEY)");
}

Publisher::Publisher(const PublishTo& given)
    : key_(read_key(complete(given).key_file)), client_(complete(given).catalog_url, complete(given).token) {
  cache_ = store::BinaryCache::open(client_.cache_url(), complete(given).token);
}

void Publisher::publish(const store::LocalStore& store, const catalog::PackageBuild& build) {
  catalog::Published published = catalog::publish(store, build, client_, *cache_, key_);
  fmt::print(stderr, "✔ Published {} {} ({}): {} paths uploaded ({:.1f} MB compressed), {} already there\n",
             build.name, build.version, build.system, published.upload.paths_uploaded,
             static_cast<double>(published.upload.bytes_uploaded) / 1e6, published.upload.paths_present);
}

}  // namespace flox::cli
