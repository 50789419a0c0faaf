#include "cli/catalog_options.h"

#include "base/data/json.h"
#include "base/error.h"
#include "base/net/http_client.h"
#include "base/printable.h"
#include "catalog/settings.h"
#include "cli/publishing.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

constexpr size_t longest_shown = 300;  // characters

}  // namespace

void add_catalog_options(CLI::App& command, CatalogOptions& options) {
  command.add_option("--catalog", options.url, "URL of the catalog (FLOX_CATALOG_URL)");
  add_token_file(command, options.token_file);
}

std::string url_of(const CatalogOptions& options) {
  std::string url = options.url.empty() ? Config::load().catalog_url : options.url;
  if (url.empty())
    throw Error(ErrorKind::invalid_input, "no catalog is configured",
                "Set FLOX_CATALOG_URL, or catalog_url in /etc/flox/config.toml, or pass --catalog URL.");
  return url;
}

Secret token_of(const CatalogOptions& options) {
  return token_of(options.token_file, url_of(options), Config::load());
}

catalog::Client client_of(const CatalogOptions& options) {
  return catalog::Client(url_of(options), token_of(options));
}

std::string text_in(const nlohmann::json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string()
             ? printable(found->get_ref<const std::string&>(), longest_shown)
             : std::string();
}

const nlohmann::json& items_in(const nlohmann::json& answer, const char* key) {
  const auto found = answer.is_object() ? answer.find(key) : answer.end();
  if (!answer.is_object() || found == answer.end() || !found->is_array())
    fail(ErrorKind::unavailable, "the catalog's answer has no list '{}'", key);
  return *found;
}

uint64_t count_in(const nlohmann::json& answer, const char* key) {
  const nlohmann::json& value = member(answer, key, "the catalog's answer");
  return value.is_number_unsigned() ? value.get<uint64_t>() : 0;
}

std::string segment(const std::string& text) { return url_encode(text); }

}  // namespace flox::cli
