#include "base/trace/span.h"

#include <exception>

namespace flox::trace {
namespace {

thread_local Span* present = nullptr;

}  // namespace

Span::Span(SpanSink* sink, std::string_view name, Kind kind, const std::optional<Context>& caller)
    : outer_(present), is_present_(sink != nullptr || caller) {
  if (!is_present_) return;
  present = this;
  const bool is_recorded = sink != nullptr && (caller ? caller->is_sampled : sink->samples());
  context_ = {.trace = caller ? caller->trace : new_trace_id(),
              .span = is_recorded || !caller ? new_span_id() : caller->span,
              .is_sampled = caller ? caller->is_sampled : is_recorded};
  if (is_recorded) record(sink, name, kind, caller ? caller->span : SpanId{});
}

Span::Span(std::string_view name, Kind kind) : outer_(present) {
  if (present == nullptr || present->sink_ == nullptr) return;
  is_present_ = true;
  present = this;
  context_ = {.trace = outer_->context_.trace, .span = new_span_id(), .is_sampled = true};
  record(outer_->sink_, name, kind, outer_->context_.span);
}

void Span::record(SpanSink* sink, std::string_view name, Kind kind, const SpanId& parent) {
  sink_ = sink;
  record_.trace = context_.trace;
  record_.id = context_.span;
  record_.parent = parent;
  record_.name = name;
  record_.kind = kind;
  record_.begin = SpanRecord::Clock::now();
  exceptions_ = std::uncaught_exceptions();
}

Span::~Span() {
  if (!is_present_) return;
  present = outer_;
  if (sink_ == nullptr) return;
  record_.has_failed = verdict_.value_or(std::uncaught_exceptions() > exceptions_);
  record_.end = SpanRecord::Clock::now();
  sink_->add(std::move(record_));
}

void Span::rename(std::string_view name) {
  if (sink_ != nullptr) record_.name = name;
}

void Span::set(std::string_view name, std::string_view value) {
  if (sink_ != nullptr) record_.texts.emplace_back(name, value);
}

void Span::set(std::string_view name, int64_t value) {
  if (sink_ != nullptr) record_.numbers.emplace_back(name, value);
}

std::optional<Context> Span::current() {
  return present == nullptr ? std::nullopt : std::optional(present->context_);
}

}  // namespace flox::trace
