#include "base/trace/context.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <random>

namespace flox::trace {
namespace {

constexpr size_t size_of_version_0 = 55;

// Lower case only, as the specification has it. False for anything else.
template <size_t Size>
bool take_id(std::string_view text, std::array<uint8_t, Size>& id) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  for (size_t i = 0; i < Size; ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    id[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

template <size_t Size>
bool is_zero(const std::array<uint8_t, Size>& id) {
  return std::ranges::all_of(id, [](uint8_t byte) { return byte == 0; });
}

// Ids are no secrets: they must differ.
template <size_t Size>
std::array<uint8_t, Size> random_id() {
  static thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  std::array<uint8_t, Size> id;
  do {
    for (size_t i = 0; i < Size; i += 8) {
      uint64_t bits = random();
      for (size_t k = 0; k < 8; ++k, bits >>= 8) id[i + k] = static_cast<uint8_t>(bits);
    }
  } while (is_zero(id));
  return id;
}

template <size_t Size>
std::string hex_of(const std::array<uint8_t, Size>& id) {
  return fmt::format("{:02x}", fmt::join(id, ""));
}

}  // namespace

std::string hex(const TraceId& id) { return hex_of(id); }
std::string hex(const SpanId& id) { return hex_of(id); }
TraceId new_trace_id() { return random_id<16>(); }
SpanId new_span_id() { return random_id<8>(); }

std::string Context::to_string() const {
  return fmt::format("00-{}-{}-{}", hex(trace), hex(span), is_sampled ? "01" : "00");
}

std::optional<Context> parse_traceparent(std::string_view text) {
  if (text.size() < size_of_version_0) return std::nullopt;
  std::array<uint8_t, 1> version{}, flags{};
  Context context;
  const bool is_good = text[2] == '-' && text[35] == '-' && text[52] == '-' &&
                       take_id(text.substr(0, 2), version) && take_id(text.substr(3, 32), context.trace) &&
                       take_id(text.substr(36, 16), context.span) && take_id(text.substr(53, 2), flags);
  if (!is_good || is_zero(context.trace) || is_zero(context.span) || version[0] == 0xFF) return std::nullopt;
  // A later version may have more behind it.
  if (text.size() > size_of_version_0 && (version[0] == 0 || text[size_of_version_0] != '-'))
    return std::nullopt;
  context.is_sampled = (flags[0] & 1) != 0;
  return context;
}

}  // namespace flox::trace
