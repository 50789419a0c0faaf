// flox store key: prints a public key.
#include <memory>

#include "base/error.h"
#include "cli/publishing.h"
#include "cli/store/commands.h"
#include "nix/signature.h"
#include "trust/attestation/public_key_pem.h"

namespace flox::cli {
namespace {

struct StoreKeyOptions {
  std::string file;
  std::string key;
  bool pem = false;
};

nix::PublicKey key_of(const StoreKeyOptions& options) {
  if (!options.key.empty()) return nix::PublicKey::parse(options.key);
  const std::string file = options.file.empty() ? Config::load().signing_private_key : options.file;
  if (file.empty())
    throw Error(ErrorKind::invalid_input, "no signing key is configured",
                "Pass --key FILE or --public NAME:BASE64, or set FLOX_SIGNING_PRIVATE_KEY.");
  return read_signing_key(file).public_key();
}

void print_key(const StoreKeyOptions& options) {
  const nix::PublicKey key = key_of(options);
  fmt::print("{}", options.pem ? trust::to_pem(key) : key.to_string() + "\n");
}

}  // namespace

void add_store_key(CLI::App& store) {
  auto options = std::make_shared<StoreKeyOptions>();
  auto* command = store.add_subcommand("key", "Print the public key of a secret key");
  auto* file = command->add_option(
      "--key", options->file,
      "file (mode 600) with the secret key (default: signing_private_key of the configuration)");
  command->add_option("--public", options->key, "a public key, NAME:BASE64, to print it in another form")
      ->excludes(file);
  command->add_flag("--pem", options->pem, "print PEM, as cosign and openssl read it");
  command->footer(
      "Examples:\n  flox store key --key cache.key > cache.pub\n"
      "  flox store key --pem --public \"$(cat cache.pub)\" > cache.pem");
  command->callback([options] { print_key(*options); });
}

}  // namespace flox::cli
