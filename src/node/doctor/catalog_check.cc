#include "node/doctor/catalog_check.h"

#include <fmt/format.h>

#include "base/data/secret.h"
#include "base/error.h"
#include "catalog/readiness.h"

namespace flox::node {

std::vector<Finding> check_catalog(const Config& config) {
  if (config.catalog_url.empty()) return {};
  const auto found = [](Severity severity, std::string text, std::string advice) {
    return std::vector<Finding>{{severity, "catalog", std::move(text), std::move(advice)}};
  };
  const std::string shown = printable_url(config.catalog_url);
  constexpr const char* meanwhile = "Pods whose packages are in the store still run.";
  try {
    const auto readiness = catalog::ask_readiness(config.catalog_url, std::chrono::seconds(5));
    if (readiness.is_ready()) return found(Severity::ok, shown + " is ready", "");
    if (readiness.status != 503)
      return found(Severity::warning, fmt::format("{} answers /readyz with {}", shown, readiness.status),
                   "Check that catalog_url is the URL of a catalog.");
    return found(Severity::warning,
                 fmt::format("{} is not ready: {}", shown,
                             readiness.away.empty() ? "it does not say why" : readiness.away),
                 fmt::format("Read the catalog's log, which says why. {}", meanwhile));
  } catch (const Error& error) {
    return found(Severity::warning, fmt::format("{} does not answer: {}", shown, error.what()),
                 fmt::format("Check catalog_url and whether the catalog runs. {}", meanwhile));
  }
}

}  // namespace flox::node
