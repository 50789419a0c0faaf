// Publishing as several subcommands do it (publish, import deb --publish): options, key, one line per
// package.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "catalog/publish.h"
#include "node/floxd/config.h"

namespace flox::cli {

// The catalog, the token and the key; what is empty comes from the configuration.
struct PublishTo {
  std::string catalog_url;
  std::string token_file;
  std::string key_file;
};
void add_publish_options(CLI::App& command, PublishTo& to);

// The option --token-file, and --token, which is refused: every process of the machine sees arguments.
void add_token_file(CLI::App& command, std::string& file);
// The key in a file that only its owner may read. This process leaves no core behind from here on. Throws
// Error naming the file.
nix::SecretKey read_signing_key(const std::string& file);

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

  nix::SecretKey key_;
  catalog::Client client_;
  std::unique_ptr<store::BinaryCache> cache_;
};

}  // namespace flox::cli
