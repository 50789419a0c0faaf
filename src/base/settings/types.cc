#include "base/settings/types.h"

#include <charconv>

namespace flox {

bool SettingType<bool>::parse(const std::string& text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0" || text.empty()) return false;
  fail(ErrorKind::invalid_input, "'{}' is neither true nor false", text);
}

uint64_t SettingType<uint64_t>::parse(const std::string& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    fail(ErrorKind::invalid_input, "'{}' is not a whole number", text);
  return value;
}

std::chrono::hours SettingType<std::chrono::hours>::parse(const std::string& text) {
  const std::chrono::seconds value = parse_duration(text, std::chrono::hours(1));
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(value);
  if (hours != value) fail(ErrorKind::invalid_input, "'{}' is not a number of whole hours", text);
  return hours;
}

std::optional<AddressPort> SettingType<std::optional<AddressPort>>::parse(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return AddressPort::parse(text);
}

std::string SettingType<std::vector<std::string>>::text(const std::vector<std::string>& value) {
  return fmt::format("{}", fmt::join(value, " "));
}

std::map<std::string, std::string> SettingType<std::map<std::string, std::string>>::parse(
    const std::vector<std::string>& texts) {
  std::map<std::string, std::string> result;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
      fail(ErrorKind::invalid_input, "'{}' is not of the form NAME=VALUE", text);
    result[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return result;
}

std::string SettingType<std::map<std::string, std::string>>::text(
    const std::map<std::string, std::string>& value) {
  std::vector<std::string> texts;
  for (const auto& [name, text] : value) texts.push_back(name + "=" + text);
  return SettingType<std::vector<std::string>>::text(texts);
}

}  // namespace flox
