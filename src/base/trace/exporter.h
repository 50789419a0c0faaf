// Sends spans to an OpenTelemetry collector, by OTLP over HTTP with JSON
// (https://opentelemetry.io/docs/specs/otlp/, version 1).
//
// Apart from spans: who only carries traces on needs no client of HTTP.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/trace/span.h"

namespace flox::trace {

struct ExportOptions {
  std::string url;             // of the collector: "http://collector:4318"; a login in it is sent as Basic
  std::string service;         // service.name: "flox-catalog"
  std::string version;         // service.version
  unsigned percent = 100;      // of the traces that begin here are recorded
  size_t most_waiting = 4096;  // spans; more are dropped
  std::chrono::milliseconds pause{1000};  // between two batches, unless many spans wait
};

struct ExportCounters {
  std::atomic<uint64_t> exported{0};  // spans that the collector took
  std::atomic<uint64_t> dropped{0};   // spans that it did not, or for which there was no room
};

// A thread of its own sends; add() only puts the span into a queue. A collector that does not answer costs
// the spans, which are counted, and nothing else.
class Exporter : public SpanSink {
 public:
  // Throws Error(invalid_input) for what is no URL.
  explicit Exporter(ExportOptions options);
  // Sends what waits, if the collector takes it at once.
  ~Exporter() override;
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  void add(SpanRecord record) noexcept override;
  bool samples() noexcept override;
  const ExportCounters& counters() const noexcept { return counters_; }

 private:
  void run();
  bool send(const std::vector<SpanRecord>& batch);

  const ExportOptions options_;
  ExportCounters counters_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<SpanRecord> waiting_;
  bool is_over_ = false;
  std::atomic<uint64_t> began_{0};  // traces, to sample some
  std::thread thread_;              // last: it uses the others
};

// The body of a request to a collector: ExportTraceServiceRequest as the JSON that OTLP has of it.
std::string otlp_json(const std::vector<SpanRecord>& spans, const std::string& service,
                      const std::string& version);

}  // namespace flox::trace
