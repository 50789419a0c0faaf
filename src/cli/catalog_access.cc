#include "cli/catalog_access.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "node/floxd/config.h"

namespace flox::cli {

catalog::Client configured_catalog() { return catalog::Client(Config::load().catalog_url); }

catalog::Client configured_catalog_with_token() {
  const Config config = Config::load();
  return catalog::Client(config.catalog_url, config.token());
}

void warn_on_stderr(const std::string& warning) { fmt::print(stderr, "! {}\n", warning); }

std::unique_ptr<catalog::VerifiedCatalog> verified_catalog(Secret token) {
  const Config config = Config::load();
  return std::make_unique<catalog::VerifiedCatalog>(config.catalog_url, std::move(token), config,
                                                    warn_on_stderr);
}

void print_json(const std::vector<catalog::PackageBuild>& builds) {
  nlohmann::json items = nlohmann::json::array();
  for (const auto& build : builds) items.push_back(build.to_json());
  fmt::print("{}\n", items.dump(2));
}

}  // namespace flox::cli
