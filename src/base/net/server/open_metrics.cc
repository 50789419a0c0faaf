#include "base/net/server/open_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace flox {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Whole numbers of counters and gauges are written whole, as the older format has them.
std::string number(double value) {
  constexpr double exact = 9'007'199'254'740'992.0;  // 2^53
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value == std::floor(value) && std::abs(value) <= exact) return fmt::format("{:.0f}", value);
  return fmt::format("{}", value);
}
// Of a bucket: always as a number that need not be whole ("1.0").
std::string bound(double value) {
  if (std::isinf(value)) return "+Inf";
  const std::string text = fmt::format("{}", value);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\n') {
      result += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') result += '\\';
    result += c;
  }
  return result;
}

std::string labels_of(const ClientMetric& metric, const std::string& more = {}) {
  std::string text;
  for (const auto& label : metric.label)
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ",", label.name, escaped(label.value));
  if (!more.empty()) text += (text.empty() ? "" : ",") + more;
  return text.empty() ? "" : "{" + text + "}";
}

void add_histogram(const std::string& name, const ClientMetric& metric, const Exemplars& exemplars,
                   std::string& text) {
  prometheus::Labels labels;
  for (const auto& label : metric.label) labels.emplace(label.name, label.value);
  const auto known = exemplars.find({name, labels});
  for (size_t i = 0; i < metric.histogram.bucket.size(); ++i) {
    const auto& bucket = metric.histogram.bucket[i];
    text += fmt::format("{}_bucket{} {}", name,
                        labels_of(metric, fmt::format("le=\"{}\"", bound(bucket.upper_bound))),
                        bucket.cumulative_count);
    if (known != exemplars.end() && i < known->second.size() && known->second[i]) {
      const TracedHistogram::Exemplar& exemplar = *known->second[i];
      const auto at =
          std::chrono::duration_cast<std::chrono::milliseconds>(exemplar.at.time_since_epoch()).count();
      text += fmt::format(" # {{trace_id=\"{}\"}} {} {}.{:03}", escaped(exemplar.trace_id),
                          number(exemplar.value), at / 1000, at % 1000);
    }
    text += '\n';
  }
  text += fmt::format("{0}_count{1} {2}\n{0}_sum{1} {3}\n", name, labels_of(metric),
                      metric.histogram.sample_count, number(metric.histogram.sample_sum));
}

}  // namespace

void TracedHistogram::observe(double value, std::string trace_id) {
  histogram_.Observe(value);
  if (trace_id.empty()) return;
  const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  const std::scoped_lock lock(mutex_);
  exemplars_[static_cast<size_t>(bucket)] = {std::move(trace_id), value, std::chrono::system_clock::now()};
}

std::vector<std::optional<TracedHistogram::Exemplar>> TracedHistogram::exemplars() const {
  const std::scoped_lock lock(mutex_);
  return exemplars_;
}

std::string open_metrics_text(const std::vector<MetricFamily>& families, const Exemplars& exemplars) {
  constexpr std::string_view counted = "_total";
  std::string text;
  for (const MetricFamily& family : families) {
    // A counter's family has its name without what its sample's name ends in.
    const bool is_counter = family.type == MetricType::Counter && family.name.ends_with(counted);
    const bool is_histogram = family.type == MetricType::Histogram;
    const std::string name =
        is_counter ? family.name.substr(0, family.name.size() - counted.size()) : family.name;
    text += fmt::format("# TYPE {} {}\n# HELP {} {}\n", name,
                        is_counter                         ? "counter"
                        : is_histogram                     ? "histogram"
                        : family.type == MetricType::Gauge ? "gauge"
                                                           : "unknown",
                        name, escaped(family.help));
    for (const ClientMetric& metric : family.metric) {
      if (is_histogram)
        add_histogram(name, metric, exemplars, text);
      else
        text += fmt::format("{}{} {}\n", family.name, labels_of(metric),
                            number(family.type == MetricType::Counter ? metric.counter.value
                                   : family.type == MetricType::Gauge ? metric.gauge.value
                                                                      : metric.untyped.value));
    }
  }
  return text + "# EOF\n";
}

bool takes_open_metrics(std::string_view accept) {
  while (!accept.empty()) {
    const size_t comma = accept.find(',');
    std::string_view range = accept.substr(0, comma);
    accept.remove_prefix(comma == std::string_view::npos ? accept.size() : comma + 1);
    range.remove_prefix(std::min(range.find_first_not_of(" \t"), range.size()));
    if (!range.starts_with("application/openmetrics-text")) continue;
    const size_t quality = range.find("q=");
    // "q=0", "q=0.0": it takes anything but this one.
    if (quality == std::string_view::npos ||
        range.substr(quality + 2).find_first_of("123456789") != std::string_view::npos)
      return true;
  }
  return false;
}

}  // namespace flox
