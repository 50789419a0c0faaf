#include "node/doctor/catalog_check.h"

#include <fmt/format.h>

#include "base/data/secret.h"
#include "base/error.h"
#include "base/net/http_client.h"
#include "base/printable.h"

namespace flox::node {
namespace {

constexpr std::chrono::seconds longest_answer{5};
constexpr size_t longest_text = 300;  // characters that are shown of what the catalog says

}  // namespace

std::string what_is_away(std::string_view page) {
  std::string away;
  while (!page.empty()) {
    const std::string_view line = page.substr(0, page.find('\n'));
    if (!line.empty() && !line.ends_with(": ok")) away += (away.empty() ? "" : ", ") + std::string(line);
    page.remove_prefix(std::min(line.size() + 1, page.size()));
  }
  return printable(away, longest_text);
}

std::vector<Finding> check_catalog(const Config& config) {
  if (config.catalog_url.empty()) return {};
  const auto found = [](Severity severity, std::string text, std::string advice) {
    return std::vector<Finding>{{severity, "catalog", std::move(text), std::move(advice)}};
  };
  const std::string shown = printable_url(config.catalog_url);
  std::string url = config.catalog_url;
  while (url.ends_with('/')) url.pop_back();
  constexpr const char* meanwhile = "Pods whose packages are in the store still run.";
  try {
    const HttpResponse response = HttpClient().send(
        {.url = url + "/readyz", .timeout = longest_answer, .max_body = BodyLimit(64 << 10)});
    if (response.ok()) return found(Severity::ok, shown + " is ready", "");
    if (response.status != 503)
      return found(Severity::warning, fmt::format("{} answers /readyz with {}", shown, response.status),
                   "Check that catalog_url is the URL of a catalog.");
    const std::string away = what_is_away(response.body);
    return found(Severity::warning,
                 fmt::format("{} is not ready: {}", shown, away.empty() ? "it does not say why" : away),
                 fmt::format("Read the catalog's log: it says why. {}", meanwhile));
  } catch (const Error& error) {
    return found(Severity::warning, fmt::format("{} does not answer: {}", shown, error.what()),
                 fmt::format("Check catalog_url and whether the catalog runs. {}", meanwhile));
  }
}

}  // namespace flox::node
