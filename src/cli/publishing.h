// Publishing as several subcommands do it (publish, import deb --publish): options, key, one line per
// package.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/publish.h"
#include "catalog/signing.h"
#include "node/floxd/config.h"
#include "trust/trust_store.h"

namespace flox::cli {

// The catalog, the token, the key and the owner; what is empty comes from the configuration.
struct PublishTo {
  std::string catalog_url;
  std::string token_file;
  std::string key_file;
  std::string owner;
  std::vector<std::string> metadata_keys;
  catalog::Listing listing;
  std::string prepare;                    // file to write the name file to, for others to sign
  std::vector<std::string> signed_files;  // copies of it that came back
};
void add_publish_options(CLI::App& command, PublishTo& to);

// The option --token-file, and --token, which is refused: every process of the machine sees arguments.
void add_token_file(CLI::App& command, std::string& file);
// From that file, or as configured for that catalog.
Secret token_of(const std::string& file, const std::string& catalog_url, const Config& config);
// The key in a file that only its owner may read. This process leaves no core behind from here on. Throws
// Error naming the file.
nix::SecretKey read_signing_key(const std::string& file);

// --prepare and --signed: signing with keys of several machines.
void add_prepare_options(CLI::App& command, std::string& prepare, std::vector<std::string>& signed_files);
// The texts of those files. Throws Error naming the file.
std::vector<std::string> read_signed_files(const std::vector<std::string>& files);
// Writes a prepared file, and says on standard error what it needs.
void write_prepared(const catalog::MetadataSigner::Prepared& prepared, const std::string& owner,
                    const std::string& file, const std::string& command);

// --signing-private-key.
void add_signing_key(CLI::App& command, std::string& file);
// --metadata-key.
void add_metadata_keys(CLI::App& command, std::vector<std::string>& metadata_keys);
// --owner and --metadata-key.
void add_owner_options(CLI::App& command, std::string& owner, std::vector<std::string>& metadata_keys);

// Signs what is published for an owner.
class OwnerSigning {
 public:
  // What is empty comes from the configuration; `key_file` signs if no metadata keys are given. Whoever only
  // prepares for others, or has all signatures, needs no key.
  enum class Key { needed, optional };
  OwnerSigning(const Config& config, std::string owner, std::vector<std::string> metadata_keys,
               const std::string& key_file, catalog::Client& client, Key key = Key::needed);

  OwnerSigning(const OwnerSigning&) = delete;  // the signer refers to the rest
  OwnerSigning& operator=(const OwnerSigning&) = delete;

  // Null if there is no owner, or if the owner is not trusted here and allow_unsigned is set; then a
  // warning says so. Throws Error(untrusted), with advice, if the owner is not trusted.
  catalog::MetadataSigner* get() noexcept { return signer_ ? &*signer_ : nullptr; }
  // The same. Throws Error instead of null, with advice: invalid_input if there is no owner, untrusted if it
  // is not trusted here.
  catalog::MetadataSigner& require();

 private:
  std::string owner_;  // empty: nobody
  trust::TrustStore store_;
  catalog::MetadataSigner::Signers signers_;
  std::optional<catalog::MetadataSigner> signer_;
};

class Publisher {
 public:
  // Throws Error(invalid_input) with advice if there is no catalog or no key, untrusted if others may use the
  // files that hold the key or the token.
  explicit Publisher(const PublishTo& to);
  // Publishes, with the provenance if there is one, and says so on stderr.
  void publish(const store::LocalStore& store, const catalog::PackageBuild& build,
               const std::optional<trust::BuildProvenance>& provenance = std::nullopt);

 private:
  Publisher(const PublishTo& to, const Config& config);

  std::string prepare_;
  std::vector<std::string> signed_copies_;
  nix::SecretKey key_;
  catalog::Client client_;
  std::unique_ptr<store::BinaryCache> cache_;
  OwnerSigning signing_;
  catalog::Listing listing_;
};

}  // namespace flox::cli
