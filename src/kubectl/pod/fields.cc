#include "kubectl/pod/fields.h"

#include <chrono>

namespace flox::kubectl {
namespace {

const nlohmann::json nothing;
const nlohmann::json no_elements = nlohmann::json::array();

// A number of exactly so many digits, taken from the front; nothing if there are other characters.
std::optional<int> take_digits(std::string_view& text, size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

const nlohmann::json& at(const nlohmann::json& value, Path path) {
  const nlohmann::json* found = &value;
  for (const char* name : path) {
    if (!found->is_object()) return nothing;
    const auto member = found->find(name);
    if (member == found->end()) return nothing;
    found = &*member;
  }
  return *found;
}

std::string text_at(const nlohmann::json& value, Path path) {
  const nlohmann::json& found = at(value, path);
  return found.is_string() ? found.get<std::string>() : std::string();
}

int64_t number_at(const nlohmann::json& value, Path path) {
  const nlohmann::json& found = at(value, path);
  if (found.is_number_unsigned()) {
    const auto number = found.get<uint64_t>();
    return number > INT64_MAX ? INT64_MAX : static_cast<int64_t>(number);
  }
  return found.is_number_integer() ? found.get<int64_t>() : 0;
}

bool flag_at(const nlohmann::json& value, Path path) {
  const nlohmann::json& found = at(value, path);
  return found.is_boolean() && found.get<bool>();
}

const nlohmann::json& list_at(const nlohmann::json& value, Path path) {
  const nlohmann::json& found = at(value, path);
  return found.is_array() ? found : no_elements;
}

std::optional<int64_t> parse_time(std::string_view text) {
  using namespace std::chrono;
  const auto year_number = take_digits(text, 4);
  if (!year_number || !take(text, '-')) return std::nullopt;
  const auto month_number = take_digits(text, 2);
  if (!month_number || !take(text, '-')) return std::nullopt;
  const auto day_number = take_digits(text, 2);
  if (!day_number || !take(text, 'T')) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take(text, ':')) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  int64_t milliseconds = 0;
  if (take(text, '.')) {
    int64_t unit = 100;
    size_t digits = 0;
    for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits, unit /= 10)
      milliseconds += (text[digits] - '0') * unit;
    if (digits == 0 || digits > 9) return std::nullopt;
    text.remove_prefix(digits);
  }
  if (text != "Z") return std::nullopt;
  const year_month_day date{year(*year_number), month(static_cast<unsigned>(*month_number)),
                            day(static_cast<unsigned>(*day_number))};
  if (!date.ok()) return std::nullopt;
  const int64_t days = sys_days(date).time_since_epoch().count();
  return (((days * 24 + *hour) * 60 + *minute) * 60 + *second) * 1000 + milliseconds;
}

std::optional<int64_t> time_at(const nlohmann::json& value, Path path) {
  return parse_time(text_at(value, path));
}

}  // namespace flox::kubectl
