// OpenMetrics' text format (https://github.com/OpenObservability/OpenMetrics, specification, version 1.0):
// what Prometheus asks for where it can, and the only one with exemplars, which lead from a histogram's
// bucket to the trace of a value in it. prometheus-cpp 1.0 counts, and writes the older format alone.
#pragma once

#include <prometheus/histogram.h>
#include <prometheus/labels.h>
#include <prometheus/metric_family.h>

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flox {

// A histogram that knows for each bucket the trace of the last value that came with one. Thread-safe.
class TracedHistogram {
 public:
  struct Exemplar {
    std::string trace_id;
    double value = 0;
    std::chrono::system_clock::time_point at;
  };
  // `bounds`: the upper ones of the histogram's buckets, which lives as long as this.
  TracedHistogram(prometheus::Histogram& histogram, std::vector<double> bounds)
      : histogram_(histogram), bounds_(std::move(bounds)), exemplars_(bounds_.size() + 1) {}
  // `trace_id`: in hexadecimal, of a trace that is recorded; empty: there is none.
  void observe(double value, std::string trace_id);
  // By bucket, the last one without a bound.
  std::vector<std::optional<Exemplar>> exemplars() const;

 private:
  prometheus::Histogram& histogram_;
  const std::vector<double> bounds_;
  mutable std::mutex mutex_;
  std::vector<std::optional<Exemplar>> exemplars_;
};

// By the name and the labels of the histogram.
using Exemplars = std::map<std::pair<std::string, prometheus::Labels>,
                           std::vector<std::optional<TracedHistogram::Exemplar>>>;

// Counters, whose names end in _total, gauges and histograms.
std::string open_metrics_text(const std::vector<prometheus::MetricFamily>& families,
                              const Exemplars& exemplars);
inline constexpr const char* open_metrics_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
// Whether a request's field Accept has that format among those that it takes.
bool takes_open_metrics(std::string_view accept);

}  // namespace flox
