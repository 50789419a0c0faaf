// flox store keygen, flox store sign: who answers for a path.
#include <fcntl.h>

#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/os/fd.h"
#include "cli/publishing.h"
#include "cli/store/commands.h"
#include "nix/signature.h"

namespace flox::cli {
namespace {

struct Options {
  std::string name;
  std::string out;
  std::vector<std::string> paths;
  std::string key;
  bool recursive = false;
};

void keygen(const Options& options) {
  const nix::SecretKey key = nix::SecretKey::generate(options.name);
  const Fd fd(::open(options.out.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd && errno == EEXIST)
    throw Error(ErrorKind::conflict, fmt::format("{} exists already, and may be a key in use", options.out),
                "Name another file with --out, or remove that one first.");
  if (!fd) fail_errno(errno, "writing the secret key to {}", options.out);
  write_all(fd.get(), key.to_secret_text().reveal());
  write_all(fd.get(), "\n");
  fmt::print("{}\n", key.public_key().to_string());
}

void sign(const Options& options) {
  const Config config = Config::load();
  const std::string file = options.key.empty() ? config.signing_private_key : options.key;
  if (file.empty())
    throw Error(ErrorKind::invalid_input, "there is no key to sign with",
                "Name its file with --key, or set signing_private_key; 'flox store keygen' makes one.");
  const nix::SecretKey key = read_signing_key(file);
  store::LocalStore store = open_store(config);
  nix::StorePathSet paths = to_store_paths(options.paths);
  if (options.recursive) paths = store.closure(paths);
  for (const nix::StorePath& path : paths) {
    const nix::PathInfo info = info_of(store, path);
    store.add_signatures(path, {key.sign(info.fingerprint())});
  }
  fmt::print("{} paths signed as {}\n", paths.size(), key.name);
}

}  // namespace

void add_store_keys(CLI::App& store) {
  auto options = std::make_shared<Options>();
  auto* command = store.add_subcommand("keygen", "Make a key pair; the public key is printed");
  command->add_option("NAME", options->name, "the key's name, as in cache.example.org-1")->required();
  command->add_option("--out", options->out, "file for the secret key (made with mode 0600)")->required();
  command->footer("Example:\n  flox store keygen cache.example.org-1 --out cache.key > cache.pub");
  command->callback([options] { keygen(*options); });

  command = store.add_subcommand("sign", "Sign paths in the store");
  add_paths(*command, options->paths)->required();
  command->add_option("--key", options->key, "file with the secret key (signing_private_key)");
  command->add_flag("-r,--recursive", options->recursive, "their closures, too");
  command->footer("Example:\n  flox store sign --key cache.key --recursive /nix/store/…-web");
  command->callback([options] { sign(*options); });
}

}  // namespace flox::cli
