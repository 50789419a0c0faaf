// flox config: what this program is configured with.
#include "base/settings/config.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/net/url.h"
#include "cli/commands.h"

namespace flox::cli {
namespace {

struct Options {
  bool explain = false;
  bool json = false;
};

std::string text_of(const Amount& amount) {
  return amount.share == 0 ? size_text(amount.bytes) : fmt::format("{}%", amount.share * 100);
}

std::vector<std::string> without_logins(std::vector<std::string> urls) {
  for (std::string& url : urls) url = hide_login(url);
  return urls;
}

void print(const Config& config, bool as_json) {
  nlohmann::ordered_json values = {
      {"root", config.root.string()},
      {"catalog_url", hide_login(config.catalog_url)},
      {"catalog_token", config.catalog_token.empty() ? "" : "(set)"},
      {"catalog_token_file", config.catalog_token_file},
      {"caches", without_logins(config.caches)},
      {"trusted_keys", config.trusted_keys},
      {"trust_content_addressed", config.trust_content_addressed},
      {"signing_private_key", config.signing_key_file},
      {"node_socket", config.node_socket.string()},
      {"pod_socket_dir", config.pod_socket_dir.string()},
      {"pod_install", config.pod_install},
      {"pod_connections", config.pod_budgets.connections},
      {"pod_requests", config.pod_budgets.requests},
      {"pod_lock_size", config.pod_budgets.lock_size},
      {"pod_environments", config.pod_budgets.environments},
      {"pod_locks", config.pod_budgets.locks},
      {"pod_disk", config.pod_budgets.disk},
      {"pod_request_time", fmt::format("{}s", config.pod_budgets.request_time.count())},
      {"pods_connections", config.pod_budgets.all_connections},
      {"pods_requests", config.pod_budgets.all_requests},
      {"pods_environments", config.pod_budgets.all_environments},
      {"namespace_environments", config.namespace_environments},
      {"metrics_address", config.metrics_address},
      {"store_view", config.store_view},
      {"registry_address", config.registry_address},
      {"gc_min_free", text_of(config.gc_min_free)},
      {"gc_target_free", text_of(config.gc_target_free)},
      {"gc_keep_newer", fmt::format("{}s", config.gc_keep_newer.count())},
      {"store_lock_timeout", fmt::format("{}s", config.store_lock_timeout.count() / 1000)}};
  if (as_json) {
    fmt::print("{}\n", values.dump(2));
    return;
  }
  for (const auto& [name, value] : values.items())
    fmt::print("{:<24} {}\n", name, value.is_string() ? value.get<std::string>() : value.dump());
}

}  // namespace

void add_config(CLI::App& app) {
  auto* command = app.add_subcommand("config", "Show the configuration in force, or explain its keys");
  auto options = std::make_shared<Options>();
  auto* explain = command->add_flag("--explain", options->explain, "every key: meaning, variable, default");
  command->add_flag("--json", options->json, "print JSON")->excludes(explain);
  command->callback([options] {
    if (options->explain)
      fmt::print("{}", Config::explain());
    else
      print(Config::load(), options->json);
  });
}

}  // namespace flox::cli
