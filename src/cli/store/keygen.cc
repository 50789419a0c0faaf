// flox store keygen: makes a key pair.
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/os/unfinished_file.h"
#include "cli/store/commands.h"
#include "nix/signature.h"

namespace flox::cli {
namespace {

void make_key(const std::string& name, const std::string& file) {
  const nix::SecretKey key = nix::SecretKey::generate(name);
  in_context("writing the secret key to " + file, [&] {
    const Directory directory(directory_of(file));
    UnfinishedFile made(directory, std::filesystem::path(file).filename().string(), 0600);
    write_all(made.fd(), key.to_secret_text().reveal() + "\n");
    try {
      made.create();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::conflict) throw;
      throw Error(ErrorKind::conflict, fmt::format("{} exists already, and may be a key in use", file),
                  "Pass another file to --out, or remove that one first.");
    }
  });
  fmt::print("{}\n", key.public_key().to_string());
}

}  // namespace

void add_store_keygen(CLI::App& store) {
  struct StoreKeygenOptions {
    std::string name, file;
  };
  auto options = std::make_shared<StoreKeygenOptions>();
  auto* command = store.add_subcommand("keygen", "Make a key pair and print the public key");
  command->add_option("NAME", options->name, "name of the key, as cache.example.org-1")->required();
  command->add_option("--out", options->file, "file for the secret key (created with mode 600)")->required();
  command->footer("Example:\n  flox store keygen cache.example.org-1 --out cache.key > cache.pub");
  command->callback([options] { make_key(options->name, options->file); });
}

}  // namespace flox::cli
