#include "node/doctor/kept_check.h"

#include "base/printable.h"
#include "base/settings/units.h"
#include "node/doctor/policy_check.h"
#include "node/kept/kept_pods.h"

namespace flox::node {

std::vector<Finding> check_kept(const Config& config, const std::string& metrics) {
  std::vector<Finding> findings;
  const auto add = [&](Severity severity, std::string text, std::string advice) {
    findings.push_back({severity, "restarts", std::move(text), std::move(advice)});
  };
  const KeptSummary kept = summary_of_kept(kept_pods_directory(config.root));
  add(Severity::ok,
      fmt::format("{} can restart without the catalog, by {}", count_text(kept.pods, "pod"),
                  count_text(kept.answers, "answer")),
      "");
  if (kept.oldest_moving) {
    const std::string text =
        fmt::format("the oldest answer of a name that may have changed: {} ago, pod {}/{}",
                    duration_text(kept.oldest_moving->age), printable(kept.oldest_moving_of.pod_namespace),
                    printable(kept.oldest_moving_of.name));
    if (config.moving_answer_age.count() > 0 && kept.oldest_moving->age > config.moving_answer_age)
      add(Severity::warning,
          fmt::format("{}, over moving_answer_age ({})", text, duration_text(config.moving_answer_age)),
          "Name a version or a generation in its annotation, or raise moving_answer_age: it does not restart "
          "while the catalog is away.");
    else
      add(Severity::ok, text, "");
  }
  const double used = metric_in(metrics, "flox_kept_answers_used_total{reference=\"fixed\"}") +
                      metric_in(metrics, "flox_kept_answers_used_total{reference=\"moving\"}");
  if (used > 0) add(Severity::ok, fmt::format("{:.0f} starts used them since floxd started", used), "");
  if (const double unwritten = metric_in(metrics, "flox_kept_answers_failures_total{reason=\"unwritten\"}");
      unwritten > 0)
    add(Severity::error,
        fmt::format("{:.0f} answers could not be kept: these pods need the catalog to restart", unwritten),
        "Read floxd's log for the reason: journalctl -u floxd. The count begins anew when floxd starts.");
  return findings;
}

}  // namespace flox::node
