#include "cli/publishing.h"

#include <fmt/ranges.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/command_line/program.h"
#include "base/data/secret.h"
#include "base/error.h"
#include "base/os/file.h"
#include "base/settings/units.h"
#include "cli/catalog_access.h"
#include "cli/say.h"
#include "node/floxd/config.h"
#include "trust/names.h"

namespace flox::cli {
namespace {

// The options, completed from the configuration.
PublishTo complete(PublishTo to, const Config& config) {
  if (to.catalog_url.empty()) to.catalog_url = config.catalog_url;
  if (to.key_file.empty()) to.key_file = config.signing_private_key;
  if (to.catalog_url.empty())
    throw Error(ErrorKind::invalid_input, "publishing: no catalog is configured",
                "Set FLOX_CATALOG_URL, or catalog_url in /etc/flox/config.toml, or pass --catalog URL.");
  if (to.key_file.empty())
    throw Error(ErrorKind::invalid_input, "publishing: no signing key is configured",
                "Set FLOX_SIGNING_PRIVATE_KEY, or signing_private_key in /etc/flox/config.toml, or pass "
                "--signing-private-key FILE. 'flox store keygen NAME --out FILE' makes a key.");
  return to;
}

// Whoever may read cores or attach a debugger as this user could read the key.
void leave_no_core() noexcept {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace

Secret token_of(const std::string& file, const std::string& catalog_url, const Config& config) {
  if (file.empty()) return config.token_for(catalog_url);
  try {
    return in_context("--token-file", [&] { return read_secret_file(file); });
  } catch (const Error& error) {
    throw error.with_advice(
        "Write the token to that file with mode 600, or leave --token-file away and run 'flox auth login'.");
  }
}

void add_token_file(CLI::App& command, std::string& file) {
  command.add_option("--token-file", file,
                     "file (mode 600) with the token for the catalog (FLOX_CATALOG_TOKEN_FILE)");
  command
      .add_option_function<std::string>(
          "--token",
          [](const std::string&) {
            fail_usage("--token is not accepted: every process of this machine can read arguments",
                       "Write the token to a file with mode 600 and pass --token-file FILE.");
          })
      ->group("");
}

nix::SecretKey read_signing_key(const std::string& file) {
  leave_no_core();
  try {
    return in_context("the signing key " + file,
                      [&] { return nix::SecretKey::parse(read_secret_file(file).reveal()); });
  } catch (const Error& error) {
    throw error.with_advice("Name a file with a secret key. 'flox store keygen NAME --out FILE' makes one.");
  }
}

void add_signing_key(CLI::App& command, std::string& file) {
  command.add_option("--signing-private-key", file,
                     "file (mode 600) with the key to sign with (FLOX_SIGNING_PRIVATE_KEY)");
}

void add_metadata_keys(CLI::App& command, std::vector<std::string>& metadata_keys) {
  command.add_option("--metadata-key", metadata_keys,
                     "who signs for the owner: a file (mode 600) with a key, or exec:COMMAND; repeatable "
                     "(FLOX_METADATA_KEYS; default: the signing key)");
}

void add_owner_options(CLI::App& command, std::string& owner, std::vector<std::string>& metadata_keys) {
  command.add_option("-o,--owner", owner, "owner who signs it (FLOX_OWNER)");
  add_metadata_keys(command, metadata_keys);
}

OwnerSigning::OwnerSigning(const Config& config, std::string owner, std::vector<std::string> metadata_keys,
                           const std::string& key_file, catalog::Client& client, Key key)
    : owner_(owner.empty() ? config.owner : std::move(owner)),
      store_(config.trust_directory(), config.trust_state_directory()) {
  if (owner_.empty()) return;
  trust::check_owner(owner_);
  if (config.allow_unsigned && !store_.trusts(owner_)) {
    warn_on_stderr(
        fmt::format("allow_unsigned: {} is not trusted here, so nothing is signed for it", owner_));
    return;
  }
  if (metadata_keys.empty()) metadata_keys = config.metadata_keys;
  if (metadata_keys.empty()) metadata_keys = {key_file.empty() ? config.signing_private_key : key_file};
  if (metadata_keys.front().empty() && key == Key::optional) metadata_keys.clear();
  if (!metadata_keys.empty() && metadata_keys.front().empty())
    throw Error(ErrorKind::invalid_input, fmt::format("signing for {}: no key is configured", owner_),
                "Pass --metadata-key FILE, or set metadata_keys or signing_private_key in "
                "/etc/flox/config.toml.");
  for (const std::string& one : metadata_keys)
    signers_.push_back(in_context("the metadata key " + one, [&] { return trust::Signer::open(one); }));
  signer_.emplace(owner_, signers_, store_, client);
}

catalog::MetadataSigner& OwnerSigning::require() {
  if (signer_) return *signer_;
  if (!owner_.empty())
    throw Error(ErrorKind::untrusted,
                fmt::format("{} is not trusted on this machine, so nothing is signed for it", owner_),
                fmt::format("Run '{}'.", trust::accept_command(owner_)));
  throw Error(ErrorKind::invalid_input, "there is no owner here for whom to sign",
              fmt::format("Pass --owner or set FLOX_OWNER, and trust the owner on this machine: '{}'.",
                          trust::accept_command("OWNER")));
}

void add_prepare_options(CLI::App& command, std::string& prepare, std::vector<std::string>& signed_files) {
  auto* option = command.add_option(
      "--prepare", prepare,
      "upload, but publish nothing yet: write what is to be signed to this file, for 'flox trust sign' on "
      "other machines");
  command
      .add_option("--signed", signed_files,
                  "publish what was prepared: the file as it came back signed, or several copies of it")
      ->excludes(option);
}

std::vector<std::string> read_signed_files(const std::vector<std::string>& files) {
  std::vector<std::string> texts;
  for (const std::string& file : files) texts.push_back(read_file(file, trust::name_file_limits.bytes));
  return texts;
}

void write_prepared(const catalog::MetadataSigner::Prepared& prepared, const std::string& owner,
                    const std::string& file, const std::string& command) {
  const trust::SigningState& state = prepared.state;
  write_file_synced(file, prepared.file.to_string());
  say("✔ Prepared {} of {}: {}, with {} of {} signatures\n", state.what, owner, file, state.signatures,
      state.needed);
  if (!state.complete())
    say("  it lacks {}\nGive the file to the holder of such a key, who runs 'flox trust sign {}'; then "
        "run\n'{} --signed {}'.\n",
        fmt::join(state.lacking, ", "), file, command, file);
}

void add_publish_options(CLI::App& command, PublishTo& to) {
  command.add_option("--catalog", to.catalog_url, "URL of the catalog (FLOX_CATALOG_URL)");
  add_token_file(command, to.token_file);
  add_signing_key(command, to.key_file);
  add_owner_options(command, to.owner, to.metadata_keys);
  command.add_flag("--start-over", to.listing.start_over,
                   "sign anew without what is signed of the package so far: its key was revoked, or it has "
                   "expired");
  command
      .add_option(
          "--keep-versions", to.listing.keep_versions,
          "sign only so many versions of the package, the newest and this one: nobody can install the "
          "others any more (default: all; a package can have some 2,000 builds)")
      ->check(CLI::Range(size_t{1}, size_t{100'000}));
}

Publisher::Publisher(const PublishTo& given) : Publisher(given, Config::load()) {}

Publisher::Publisher(const PublishTo& given, const Config& config)
    : prepare_(given.prepare),
      signed_copies_(read_signed_files(given.signed_files)),
      key_(read_signing_key(complete(given, config).key_file)),
      client_(complete(given, config).catalog_url,
              token_of(given.token_file, complete(given, config).catalog_url, config)),
      cache_(store::BinaryCache::open(
          client_.cache_url(), token_of(given.token_file, complete(given, config).catalog_url, config))),
      signing_(config, given.owner, given.metadata_keys, given.key_file, client_),
      listing_(given.listing) {}

void Publisher::publish(const store::LocalStore& store, const catalog::PackageBuild& build,
                        const std::optional<trust::BuildProvenance>& provenance) {
  catalog::PublishWith with{.client = client_,
                            .cache = *cache_,
                            .key = key_,
                            .signer = signing_.get(),
                            .listing = listing_,
                            .signed_copies = signed_copies_,
                            .provenance = provenance};
  if (!prepare_.empty() || !signed_copies_.empty()) with.signer = &signing_.require();
  if (!prepare_.empty()) {
    const catalog::Published uploaded = catalog::upload(store, build, with);
    write_prepared(with.signer->prepare_build(uploaded.build, listing_), with.signer->owner(), prepare_,
                   fmt::format("flox publish {}", build.name));
    return;
  }
  const catalog::Published published = catalog::publish(store, build, with);
  say("{} {} {} ({}): {} uploaded ({:.1f} MB compressed), {} already there\n",
      published.is_new ? "✔ Published" : "! Published before:", build.name, build.version, build.system,
      count_text(published.upload.paths_uploaded, "path"),
      static_cast<double>(published.upload.bytes_uploaded) / 1e6, published.upload.paths_present);
  if (!published.build.owner.empty())
    say("  signed {}for {}\n", published.is_new ? "" : "anew ", published.build.owner);
  else
    say("! {} is nobody's: only nodes with allow_unsigned take it. Pass --owner to sign it.\n", build.name);
  if (published.attested == catalog::Attested::now) say("  with provenance, signed by {}\n", key_.name);
  if (published.attested == catalog::Attested::otherwise)
    say("  {} has attested this path before; that provenance stays\n", key_.name);
}

}  // namespace flox::cli
