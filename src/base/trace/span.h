// What a program did for a request, and how long each part of it took: spans, as OpenTelemetry calls them.
//
//   trace::Span request(tracer, "GET /api/v1/catalog/search", trace::Kind::server, parse_traceparent(…));
//   …
//   const trace::Span part("database read", trace::Kind::client);   // deeper down, in the same thread
//
// A thread without a span that is recorded pays for a part no more than a look at a variable.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/trace/context.h"

namespace flox::trace {

enum class Kind { internal = 1, server = 2, client = 3 };  // the numbers are OTLP's

// A span that is over.
struct SpanRecord {
  using Clock = std::chrono::system_clock;
  TraceId trace{};
  SpanId id{};
  SpanId parent{};  // zeros: none
  std::string name;
  Kind kind = Kind::internal;
  Clock::time_point begin{}, end{};
  std::vector<std::pair<std::string, std::string>> texts;  // attributes
  std::vector<std::pair<std::string, int64_t>> numbers;    // attributes
  bool has_failed = false;
};

// Where spans go. Thread-safe; never blocks and never throws.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  virtual void add(SpanRecord record) noexcept = 0;
  // Whether a trace that begins here is recorded.
  virtual bool samples() noexcept = 0;
};

// From its making to its end, which is in the same thread. Spans of a thread end in the reverse order.
class Span {
 public:
  // The first of this program in a trace: of the caller's, if there is one, recorded if the caller's is;
  // otherwise of a new one. Null: there is nowhere to record it, but a caller's trace is carried on.
  Span(SpanSink* sink, std::string_view name, Kind kind, const std::optional<Context>& caller);
  // A part of the thread's present span; nothing at all if that is not recorded. An exception that ends it
  // marks it as failed.
  explicit Span(std::string_view name, Kind kind = Kind::internal);
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;
  ~Span();

  bool is_recorded() const noexcept { return sink_ != nullptr; }
  void rename(std::string_view name);
  // Attributes, by OpenTelemetry's names. No secrets.
  void set(std::string_view name, std::string_view value);
  void set(std::string_view name, int64_t value);
  // Whether it has failed, however it ends.
  void judge(bool has_failed) noexcept { verdict_ = has_failed; }

  // Of the thread's present span, for those whom it asks; nothing if there is none.
  static std::optional<Context> current();

 private:
  void record(SpanSink* sink, std::string_view name, Kind kind, const SpanId& parent);

  SpanSink* sink_ = nullptr;  // null: it is not recorded
  Span* outer_ = nullptr;     // the thread's before
  bool is_present_ = false;   // it is the thread's
  Context context_;
  SpanRecord record_;
  std::optional<bool> verdict_;
  int exceptions_ = 0;  // in flight when it began
};

}  // namespace flox::trace
