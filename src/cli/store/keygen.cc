// flox store keygen: makes a key pair.
#include <fcntl.h>

#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/os/fd.h"
#include "cli/store/commands.h"
#include "nix/signature.h"

namespace flox::cli {
namespace {

void make_key(const std::string& name, const std::string& file) {
  const nix::SecretKey key = nix::SecretKey::generate(name);
  const Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd && errno == EEXIST)
    throw Error(ErrorKind::conflict,
                fmt::format("writing the secret key: {} exists already, and may be a key in use", file),
                "Pass another file to --out, or remove that one first.");
  if (!fd) fail_errno(errno, "writing the secret key to {}", file);
  write_all(fd.get(), key.to_secret_text().reveal());
  write_all(fd.get(), "\n");
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
