// A part of what floxd does for a container that starts: its time goes into flox_stage_seconds and into the
// log of starts, and it is a span of the start's trace, if that is recorded.
#pragma once

#include <chrono>
#include <exception>
#include <optional>

#include "base/trace/span.h"
#include "node/floxd/metrics.h"
#include "node/floxd/start_log.h"

namespace flox::node {

// From its making to its end, in one thread. What an exception ends is a span that failed, and no time: the
// histogram is of what was done.
class StageTimer {
 public:
  // `metrics` outlives it.
  StageTimer(Metrics& metrics, Stage stage)
      : metrics_(metrics), stage_(stage), span_(to_string(stage)), exceptions_(std::uncaught_exceptions()) {}
  // The first of a trace, or of floxd's part of the caller's (trace::Span).
  StageTimer(Metrics& metrics, Stage stage, trace::SpanSink* spans,
             const std::optional<trace::Context>& caller)
      : metrics_(metrics),
        stage_(stage),
        span_(spans, to_string(stage), trace::Kind::server, caller),
        exceptions_(std::uncaught_exceptions()) {}
  ~StageTimer() {
    const bool has_failed = std::uncaught_exceptions() > exceptions_;
    if (start_ != nullptr) start_->stage_ended(logged_, has_failed);
    if (has_failed) return;
    const auto trace = span_.is_recorded() ? trace::Span::current() : std::nullopt;
    metrics_.took(stage_, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(),
                  trace ? trace::hex(trace->trace) : std::string());
  }
  StageTimer(const StageTimer&) = delete;
  StageTimer& operator=(const StageTimer&) = delete;

  trace::Span& span() noexcept { return span_; }

 private:
  Metrics& metrics_;
  const Stage stage_;
  trace::Span span_;
  const int exceptions_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  StartLog::Start* const start_ = StartLog::Start::current();
  const size_t logged_ = start_ == nullptr ? 0 : start_->stage_began(to_string(stage_));
};

}  // namespace flox::node
