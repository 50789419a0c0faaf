#include "catalog/readiness.h"

#include <algorithm>

#include "base/net/http_client.h"
#include "base/printable.h"

namespace flox::catalog {
namespace {

constexpr size_t longest_shown = 300;  // characters of what the catalog says
constexpr BodyLimit largest_page(64 << 10);

}  // namespace

std::string what_is_away(std::string_view page) {
  std::string away;
  while (!page.empty()) {
    const std::string_view line = page.substr(0, page.find('\n'));
    if (!line.empty() && !line.ends_with(": ok")) away += (away.empty() ? "" : ", ") + std::string(line);
    page.remove_prefix(std::min(line.size() + 1, page.size()));
  }
  return printable(away, longest_shown);
}

Readiness ask_readiness(std::string_view catalog_url, std::chrono::seconds patience) {
  while (catalog_url.ends_with('/')) catalog_url.remove_suffix(1);
  const HttpResponse response = HttpClient().send(
      {.url = std::string(catalog_url) + "/readyz", .timeout = patience, .max_body = largest_page});
  return {.status = static_cast<int>(response.status),
          .away = response.status == 503 ? what_is_away(response.body) : ""};
}

}  // namespace flox::catalog
