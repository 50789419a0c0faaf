#include "server/pages/address.h"

namespace flox::server {
namespace {

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  constexpr std::string_view unreserved = "-._~";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        unreserved.find(c) != std::string_view::npos) {
      result += c;
    } else {
      result += '%';
      result += digits[byte >> 4];
      result += digits[byte & 15];
    }
  }
  return result;
}

}  // namespace

Address::Address(std::initializer_list<std::string_view> segments) {
  for (const std::string_view segment : segments)
    if (!segment.empty()) text_ += "/" + percent_encoded(segment);
  if (text_.empty()) text_ = "/";
}

Address Address::with(std::string_view key, std::string_view value) const {
  Address result = *this;
  if (value.empty()) return result;
  result.text_ += (has_query_ ? "&" : "?") + percent_encoded(key) + "=" + percent_encoded(value);
  result.has_query_ = true;
  return result;
}

Address Address::within(std::string_view id) {
  Address result({});
  result.text_ = "#" + percent_encoded(id);
  return result;
}

Address Address::at(std::string_view id) const {
  Address result = *this;
  result.text_ += "#" + percent_encoded(id);
  return result;
}

}  // namespace flox::server
