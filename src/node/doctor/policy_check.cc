#include "node/doctor/policy_check.h"

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "base/error.h"
#include "node/policy/policy_file.h"
#include "node/policy/reader.h"
#include "node/policy/service_account.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;

bool names_accounts(const policy::Policy& policy) {
  const auto names = [](const policy::Rule& rule) { return !rule.pods.service_accounts.empty(); };
  return std::any_of(policy.allows.begin(), policy.allows.end(), names) ||
         std::any_of(policy.denies.begin(), policy.denies.end(), names);
}

void check_file(const Config& config, const std::function<void(Severity, std::string, std::string)>& add) {
  const fs::path file = config.policy.empty() ? fs::path(policy::default_policy_file) : config.policy;
  if (config.policy.empty() && !fs::exists(file))
    return add(Severity::ok, "no policy: pods may have every package and environment", "");
  try {
    const policy::Policy policy = policy::load_policy(file, {});
    add(Severity::ok, fmt::format("{}: {} rules", file.string(), policy.allows.size() + policy.denies.size()),
        "");
    if (names_accounts(policy) && config.service_account_keys.empty())
      add(Severity::warning,
          fmt::format("{} names service accounts, and none is known here: such rules deny", file.string()),
          "Set service_account_keys to the public keys of the cluster's API server.");
  } catch (const Error& error) {
    add(Severity::error, error.what(),
        error.advice().empty() ? "Correct it; 'flox policy explain' reads it without floxd."
                               : error.advice());
  }
}

}  // namespace

double metric_in(std::string_view page, std::string_view name) {
  while (!page.empty()) {
    const std::string_view line = page.substr(0, page.find('\n'));
    if (line.starts_with(name) && line.substr(name.size()).starts_with(' '))
      return std::strtod(std::string(line.substr(name.size() + 1)).c_str(), nullptr);
    page.remove_prefix(std::min(line.size() + 1, page.size()));
  }
  return 0;
}

std::vector<Finding> check_policy(const Config& config, const std::string& metrics) {
  std::vector<Finding> findings;
  const auto add = [&](Severity severity, std::string text, std::string advice) {
    findings.push_back({severity, "policy", std::move(text), std::move(advice)});
  };
  check_file(config, add);
  const policy::ServiceAccountKeys keys(config.service_account_keys);
  if (metric_in(metrics, "flox_policy_stale") != 0)
    add(Severity::error, "floxd could not read the policy again: an older one is in force",
        "Correct the file; floxd's log says what is wrong: journalctl -u floxd.");
  if (const double lost = metric_in(metrics, "flox_audit_lost_total"); lost > 0)
    add(Severity::error, fmt::format("{:.0f} lines of the audit log could not be written", lost),
        "Read floxd's log for the reason: journalctl -u floxd. The count begins anew when floxd starts.");
  if (config.audit.empty())
    add(Severity::ok, "no audit log (audit is empty)", "");
  else
    add(Severity::ok, fmt::format("audit log: {}", config.audit), "");
  return findings;
}

}  // namespace flox::node
