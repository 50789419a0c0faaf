#include "node/doctor/prefetch_check.h"

#include <algorithm>
#include <map>

#include "base/printable.h"
#include "base/settings/units.h"
#include "node/prefetch/prefetch_record.h"

namespace flox::node {

std::vector<Finding> check_prefetch(const Config& config) {
  std::vector<Finding> findings;
  const auto add = [&](Severity severity, std::string text, std::string advice) {
    findings.push_back({severity, "prefetching", std::move(text), std::move(advice)});
  };
  const std::vector<PrefetchRecord> records = read_prefetch_records(prefetch_directory(config.root));
  std::map<PrefetchRecord::State, size_t> counts;
  for (const PrefetchRecord& record : records) ++counts[record.state];
  using State = PrefetchRecord::State;
  add(Severity::ok,
      fmt::format("{}: {} present, {} in use, {} on their way, {} failed",
                  count_text(records.size(), "environment"), counts[State::present], counts[State::used],
                  counts[State::waiting] + counts[State::fetching], counts[State::failed]),
      "");
  // Of the node's own what failed is the operator's; namespaces see to theirs.
  constexpr size_t most = 5;
  size_t said = 0;
  for (const PrefetchRecord& record : records) {
    const bool waits = record.state == State::waiting && record.attempts > 0;
    if (!record.tenant.empty() || (record.state != State::failed && !waits) || ++said > most) continue;
    add(Severity::warning,
        fmt::format("{} {}: {}", printable(record.environment),
                    waits ? "waits for another attempt" : "failed", printable(record.reason, 500)),
        record.advice);
  }
  // Of shares and sizes only those can be compared that are of one kind.
  const Amount &prefetch = config.prefetch_min_free, &gc = config.gc_min_free;
  const bool are_shares = prefetch.share > 0 && gc.share > 0,
             are_sizes = prefetch.share == 0 && gc.share == 0;
  if ((are_shares && prefetch.share < gc.share) || (are_sizes && prefetch.bytes < gc.bytes))
    add(Severity::warning,
        fmt::format(
            "prefetch_min_free ({}) is under gc_min_free ({}): what is prefetched makes floxd collect "
            "garbage",
            prefetch.to_string(), gc.to_string()),
        "Set prefetch_min_free higher in /etc/flox/config.toml.");
  return findings;
}

}  // namespace flox::node
