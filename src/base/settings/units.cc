#include "base/settings/units.h"

#include <array>
#include <charconv>

#include "base/error.h"

namespace flox {
namespace {

// The number at the text's beginning, which is taken off. Throws unless there is one, not negative.
double take_number(std::string_view& text, std::string_view what) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || value < 0) fail(ErrorKind::invalid_input, "'{}' is not a {}", text, what);
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

constexpr std::string_view size_units = "KMGTPE";

}  // namespace

uint64_t parse_size(std::string_view text) {
  const std::string_view whole = text;
  double value = take_number(text, "size (as in 500M or 20G)");
  if (!text.empty()) {
    const size_t unit = size_units.find(static_cast<char>(text.front() & ~0x20));
    if (unit != std::string_view::npos) {
      for (size_t i = 0; i <= unit; ++i) value *= 1024;
      text.remove_prefix(1);
      if (text.starts_with('i')) text.remove_prefix(1);
    }
    if (text.starts_with('B')) text.remove_prefix(1);
  }
  if (!text.empty() || value >= 0x1p64)
    fail(ErrorKind::invalid_input, "'{}' is not a size (as in 500M or 20G)", whole);
  return static_cast<uint64_t>(value);
}

std::string size_text(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < size_units.size(); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}iB", value, size_units[unit]);
}

std::string exact_size_text(uint64_t bytes) {
  size_t unit = 0;
  for (; bytes != 0 && bytes % 1024 == 0 && unit < size_units.size(); ++unit) bytes /= 1024;
  return unit == 0 ? std::to_string(bytes) : fmt::format("{}{}", bytes, size_units[unit - 1]);
}

std::chrono::seconds parse_duration(std::string_view text, std::chrono::seconds unit) {
  const std::array<std::pair<std::string_view, double>, 6> units = {
      {{"", unit.count()}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}}};
  const std::string_view whole = text;
  const double value = take_number(text, "duration (as in 90s, 15m, 12h or 30d)");
  for (const auto& [name, seconds] : units)
    if (text == name && value * seconds < 1e12) {
      // 0 often means that there is no limit: only 0 is that, and less than a second is one.
      const auto whole_seconds = static_cast<int64_t>(value * seconds);
      return std::chrono::seconds(whole_seconds == 0 && value > 0 ? 1 : whole_seconds);
    }
  fail(ErrorKind::invalid_input, "'{}' is not a duration (as in 90s, 15m, 12h or 30d)", whole);
}

std::string exact_duration_text(std::chrono::seconds duration) {
  constexpr std::array<std::pair<char, int64_t>, 3> units = {{{'d', 86400}, {'h', 3600}, {'m', 60}}};
  for (const auto& [name, seconds] : units)
    if (duration.count() != 0 && duration.count() % seconds == 0)
      return fmt::format("{}{}", duration.count() / seconds, name);
  return fmt::format("{}s", duration.count());
}

std::string duration_text(std::chrono::seconds duration) {
  constexpr std::array<std::pair<std::string_view, int64_t>, 4> units = {
      {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}}};
  int64_t left = duration.count();
  size_t unit = 0;
  while (unit + 1 < units.size() && left < units[unit].second) ++unit;
  std::string text = fmt::format("{} {}", left / units[unit].second, units[unit].first);
  left %= units[unit].second;
  if (unit + 1 < units.size() && left >= units[unit + 1].second)
    text += fmt::format(" {} {}", left / units[unit + 1].second, units[unit + 1].first);
  return text;
}

std::string count_text(uint64_t number, std::string_view noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

Amount Amount::parse(std::string_view text) {
  if (!text.ends_with('%')) return {.bytes = parse_size(text)};
  std::string_view digits = text.substr(0, text.size() - 1);
  const double value = take_number(digits, "percentage");
  if (!digits.empty() || value > 100) fail(ErrorKind::invalid_input, "'{}' is not a percentage", text);
  return {.share = value / 100};
}

std::string Amount::to_string() const {
  return share == 0 ? size_text(bytes) : fmt::format("{}%", share * 100);
}

}  // namespace flox
