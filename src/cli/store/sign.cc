// flox store sign: signs paths of the store.
#include <memory>

#include "base/error.h"
#include "base/settings/units.h"
#include "cli/publishing.h"
#include "cli/store/commands.h"
#include "nix/signature.h"

namespace flox::cli {
namespace {

struct StoreSignOptions {
  std::vector<std::string> paths;
  std::string key;
  bool recursive = false;
};

void sign(const StoreSignOptions& options) {
  const Config config = Config::load();
  const std::string file = options.key.empty() ? config.signing_private_key : options.key;
  if (file.empty())
    throw Error(ErrorKind::invalid_input, "signing: no signing key is configured",
                "Pass --key FILE, or set FLOX_SIGNING_PRIVATE_KEY, or signing_private_key in "
                "/etc/flox/config.toml. 'flox store keygen NAME --out FILE' makes a key.");
  const nix::SecretKey key = read_signing_key(file);
  store::LocalStore store = open_store(config);
  nix::StorePathSet paths = to_store_paths(options.paths);
  if (options.recursive) paths = store.closure(paths);
  for (const nix::StorePath& path : paths) {
    const nix::PathInfo info = info_of(store, path);
    store.add_signatures(path, {key.sign(info.fingerprint())});
  }
  fmt::print("{} signed as {}\n", count_text(paths.size(), "path"), key.name);
}

}  // namespace

void add_store_sign(CLI::App& store) {
  auto options = std::make_shared<StoreSignOptions>();
  auto* command = store.add_subcommand("sign", "Sign paths in the store");
  add_paths(*command, options->paths)->required();
  command->add_option(
      "--key", options->key,
      "file (mode 600) with the secret key (default: signing_private_key of the configuration)");
  command->add_flag("-r,--recursive", options->recursive, "sign their closures");
  command->footer("Example:\n  flox store sign --key cache.key --recursive /nix/store/…-web");
  command->callback([options] { sign(*options); });
}

}  // namespace flox::cli
