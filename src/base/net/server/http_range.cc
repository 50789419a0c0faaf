#include "base/net/server/http_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>

namespace flox {
namespace {

// Digits only; what is too large counts as the largest.
std::optional<uint64_t> parse_number(std::string_view text) {
  if (text.empty() || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  uint64_t number = std::numeric_limits<uint64_t>::max();
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// "bytes=FIRST-LAST", "bytes=FIRST-" or "bytes=-COUNT", as far as the body has them: the size is 0 for what
// lies beyond its end. Nothing for what is no single range.
std::optional<BodyRange> parse_range(std::string_view text, uint64_t size) {
  constexpr std::string_view unit = "bytes=";
  if (!text.starts_with(unit)) return std::nullopt;
  text.remove_prefix(unit.size());
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = parse_number(text.substr(0, dash));
  const auto last = parse_number(text.substr(dash + 1));
  if (dash == 0) {
    if (!last) return std::nullopt;
    const uint64_t count = std::min(*last, size);
    return BodyRange{.first = size - count, .size = count};
  }
  if (!first || (!last && dash + 1 != text.size()) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return BodyRange{};
  return BodyRange{.first = *first, .size = last ? std::min(*last, size - 1) - *first + 1 : size - *first};
}

}  // namespace

std::optional<BodyRange> choose_range(const ServerRequest& request, uint64_t size, const std::string& etag,
                                      ServerResponse& response) {
  const BodyRange all{.first = 0, .size = size};
  const std::string quoted = '"' + etag + '"';
  response.headers["Accept-Ranges"] = "bytes";
  response.headers["ETag"] = quoted;
  const auto range = request.headers.find("range");
  if (request.method != "GET" || range == request.headers.end()) return all;
  // A date is no name of ours, either.
  if (const auto wanted = request.headers.find("if-range");
      wanted != request.headers.end() && wanted->second != quoted)
    return all;
  const auto part = parse_range(range->second, size);
  if (!part) return all;
  if (part->size == 0) {
    response.status = 416;
    response.headers["Content-Range"] = fmt::format("bytes */{}", size);
    return std::nullopt;
  }
  response.status = 206;
  response.headers["Content-Range"] =
      fmt::format("bytes {}-{}/{}", part->first, part->first + part->size - 1, size);
  return part;
}

}  // namespace flox
