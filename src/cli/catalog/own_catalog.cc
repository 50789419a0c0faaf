#include "cli/catalog/own_catalog.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/data/bytes.h"
#include "base/data/random.h"
#include "base/data/secret.h"
#include "base/data/toml.h"
#include "base/error.h"
#include "base/net/own_listener.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/os/private_directory.h"
#include "catalog/hand_over.h"
#include "nix/signature.h"
#include "node/floxd/config.h"
#include "trust/new_owner.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t token_bytes = 24;
constexpr size_t most_lock = 64;              // bytes
constexpr size_t most_own_config = 64 << 10;  // bytes

fs::path made_private(const fs::path& path) {
  const fs::path absolute = fs::absolute(path).lexically_normal();
  if (const auto made = private_directory(absolute)) return *made;
  const auto why = why_not_own(absolute);
  throw Error(ErrorKind::untrusted,
              fmt::format("serving the catalog in {}: {}", absolute.string(),
                          why ? *why : "it cannot be made, or others than you may write to it"),
              "Name a directory of your own with --dir.");
}

// Held by this process's descriptor; who holds it stands in the file, for messages.
Fd locked(const Directory& directory) {
  Fd fd = directory.open("lock", O_RDWR | O_CREAT, 0600);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) fail_errno(errno, "locking {}/lock", directory.name());
    const std::string holder = directory.read_file("lock", most_lock);
    throw Error(ErrorKind::conflict,
                fmt::format("the catalog in {} is being served already{}", directory.name(),
                            holder.empty() || holder.find_first_not_of("0123456789") != std::string::npos
                                ? ""
                                : ", by process " + holder),
                "Use that one, or name another directory with --dir.");
  }
  if (::ftruncate(fd.get(), 0) != 0) fail_errno(errno, "writing {}/lock", directory.name());
  write_all(fd.get(), std::to_string(::getpid()));
  return fd;
}

}  // namespace

OwnCatalog::OwnCatalog(const fs::path& directory) : directory_(made_private(directory)) {
  lock_ = locked(Directory(directory_));
  make_key();
  make_token();
  read_known();
}

void OwnCatalog::make_key() {
  const Directory directory(directory_);
  if (!directory.exists("key")) {
    const std::string name = fmt::format("own-{}", to_hex(random_bytes(4)));
    directory.write_file("key", nix::SecretKey::generate(name).to_secret_text().reveal() + "\n", 0600);
  }
  public_key_ = nix::SecretKey::parse(read_secret_file(file("key")).reveal()).public_key().to_string();
  directory.write_file("key.pub", public_key_ + "\n");
}

void OwnCatalog::make_token() {
  const Directory directory(directory_);
  if (!directory.exists("token"))
    directory.write_file("token", to_hex(random_bytes(token_bytes)) + "\n", 0600);
}

void OwnCatalog::read_known() {
  const Directory directory(directory_);
  if (!directory.exists("config.toml")) return;
  const toml::table table =
      parse_toml(directory.read_file("config.toml", most_own_config), file("config.toml").string());
  known_url_ = table["catalog_url"].value_or(std::string());
  known_owner_ = table["owner"].value_or(std::string());
}

std::vector<SettingChange> OwnCatalog::settings(const std::string& url, const std::string& owner) const {
  return {{"catalog_url", url},
          {"own_catalog", url},
          {"catalog_token_file", file("token").string()},
          {"signing_private_key", file("key").string()},
          {"trusted_keys", public_key_},
          {"owner", owner},
          {"trust_dir", file("trust").string()},
          {"trust_state_dir", file("seen").string()}};
}

void OwnCatalog::set_up(const std::string& url, const std::string& owner) {
  require_own_server(url);
  catalog::Client client(url, read_secret_file(file("token")));
  trust::TrustStore store(file("trust"), file("seen"));
  if (!trust::OwnerRepository::exists(store, owner))
    trust::begin_owner(store, {.name = owner,
                               .timestamp_key = trust::Key::of(client.online_key()),
                               .signing_keys = {trust::Key::of(nix::PublicKey::parse(public_key_))},
                               .root_expires = trust::now() + trust::default_root_life,
                               .targets_expires = trust::now() + trust::default_targets_life});
  catalog::hand_over(client, trust::OwnerRepository(store, owner, trust::OwnerRepository::Use::read));
  Config config;
  change_settings_file(file("config.toml"), config.groups(), settings(url, owner));
}

}  // namespace flox::cli
