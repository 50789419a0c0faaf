// Publishing as several subcommands do it (publish, import deb --publish): options, key, one line a package.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "catalog/publish.h"

namespace flox::cli {

// Where to and as whom; what is empty comes from the configuration.
struct PublishTo {
  std::string catalog_url;
  std::string token;
  std::string key_file;
};
void add_publish_options(CLI::App& command, PublishTo& to);

class Publisher {
 public:
  // Throws Error(invalid_input) with advice if there is no catalog or no key.
  explicit Publisher(const PublishTo& to);
  // Publishes and says so on stderr.
  void publish(const store::LocalStore& store, const catalog::PackageBuild& build);

 private:
  nix::SecretKey key_;
  catalog::Client client_;
  std::unique_ptr<store::BinaryCache> cache_;
};

}  // namespace flox::cli
