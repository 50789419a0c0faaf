#include "base/net/server/metrics_page.h"

#include <prometheus/text_serializer.h>

namespace flox {

MetricsPage::Family<MetricsPage::Counter>& MetricsPage::counters(const std::string& name,
                                                                 const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
}
MetricsPage::Counter& MetricsPage::counter(const std::string& name, const std::string& help) {
  return counters(name, help).Add({});
}
MetricsPage::Family<MetricsPage::Gauge>& MetricsPage::gauges(const std::string& name,
                                                             const std::string& help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
}
MetricsPage::Gauge& MetricsPage::gauge(const std::string& name, const std::string& help) {
  return gauges(name, help).Add({});
}
MetricsPage::Family<MetricsPage::Histogram>& MetricsPage::histograms(const std::string& name,
                                                                     const std::string& help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
}
MetricsPage::Histogram& MetricsPage::histogram(const std::string& name, const std::string& help,
                                               const Histogram::BucketBoundaries& buckets) {
  return histograms(name, help).Add({}, buckets);
}

TracedHistogram& MetricsPage::traced_histogram(const std::string& name, Family<Histogram>& family,
                                               const prometheus::Labels& labels,
                                               const Histogram::BucketBoundaries& buckets) {
  const std::scoped_lock lock(mutex_);
  std::unique_ptr<TracedHistogram>& traced = traced_[{name, labels}];
  if (traced == nullptr) traced = std::make_unique<TracedHistogram>(family.Add(labels, buckets), buckets);
  return *traced;
}

std::string MetricsPage::open_text() const {
  Exemplars exemplars;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [key, traced] : traced_) exemplars.emplace(key, traced->exemplars());
  }
  return open_metrics_text(registry_.Collect(), exemplars);
}

std::string MetricsPage::text() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

std::string metrics_text(const HttpServerCounters& counters, const std::string& prefix) {
  MetricsPage page;
  const auto counted = [&](const char* name, const char* help, uint64_t value) {
    page.counter(prefix + name, help).Increment(static_cast<double>(value));
  };
  page.gauge(prefix + "connections", "Connections open now.").Set(static_cast<double>(counters.connections));
  counted("connections_total", "Connections accepted.", counters.connections_total);
  counted("connections_evicted_total", "Connections closed to make room for others.", counters.evicted_total);
  counted("connections_timed_out_total", "Connections closed because the client was idle or too slow.",
          counters.timed_out_total);
  counted("requests_overloaded_total", "Requests answered with 503 by a limit.", counters.overloaded_total);
  counted("requests_bad_total", "Requests that were not HTTP or broke a limit of their size.",
          counters.bad_requests_total);
  counted("accept_failures_total", "Connections that could not be accepted.", counters.accept_failures_total);
  return page.text();
}

}  // namespace flox
