// Which trace something belongs to, as programs tell each other (W3C Trace Context, level 1): the field
// traceparent, "00-TRACE-SPAN-FLAGS".
#pragma once  // Fuzzed by fuzz/traceparent.cc.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flox::trace {

using TraceId = std::array<uint8_t, 16>;
using SpanId = std::array<uint8_t, 8>;

struct Context {
  TraceId trace{};
  SpanId span{};
  bool is_sampled = false;  // whether who began the trace records it

  // "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".
  std::string to_string() const;
};

// Nothing for what is no traceparent, of which the specification says that a new trace begins.
std::optional<Context> parse_traceparent(std::string_view text);

// New ones. Thread-safe.
TraceId new_trace_id();
SpanId new_span_id();

// In lower-case hexadecimal.
std::string hex(const TraceId& id);
std::string hex(const SpanId& id);

}  // namespace flox::trace
