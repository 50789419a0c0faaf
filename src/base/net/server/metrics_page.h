// A program's metrics, counted and written by prometheus-cpp (Prometheus' text format, version 0.0.4).
//
// Apart from the server: `flox store serve` shows no metrics, and does not load the library.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/net/server/http_server.h"
#include "base/net/server/open_metrics.h"

namespace flox {

// Declares metrics, name and help beside each other. Thread-safe, as the metrics themselves are; they live as
// long as the page. Values are doubles: whole numbers are exact, and written as such, up to 10^16.
class MetricsPage {
 public:
  using Counter = prometheus::Counter;
  using Gauge = prometheus::Gauge;
  using Histogram = prometheus::Histogram;
  template <typename Metric>
  using Family = prometheus::Family<Metric>;

  // Of families with labels, the members are added with their labels' values; of the others there is one.
  Family<Counter>& counters(const std::string& name, const std::string& help);
  Counter& counter(const std::string& name, const std::string& help);
  Family<Gauge>& gauges(const std::string& name, const std::string& help);
  Gauge& gauge(const std::string& name, const std::string& help);
  Family<Histogram>& histograms(const std::string& name, const std::string& help);
  Histogram& histogram(const std::string& name, const std::string& help,
                       const Histogram::BucketBoundaries& buckets);

  // A histogram of the family `name` whose values may come with their traces.
  TracedHistogram& traced_histogram(const std::string& name, Family<Histogram>& family,
                                    const prometheus::Labels& labels,
                                    const Histogram::BucketBoundaries& buckets);

  std::string text() const;
  // The same in OpenMetrics' format, with exemplars (open_metrics.h).
  std::string open_text() const;
  // The Content-Type of the first.
  static constexpr const char* content_type = "text/plain; version=0.0.4; charset=utf-8";

 private:
  prometheus::Registry registry_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, prometheus::Labels>, std::unique_ptr<TracedHistogram>> traced_;
};

// What a server counts, as a page to be shown behind another; each name begins with `prefix`.
std::string metrics_text(const HttpServerCounters& counters, const std::string& prefix);

}  // namespace flox
