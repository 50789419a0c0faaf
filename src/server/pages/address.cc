#include "server/pages/address.h"

#include <algorithm>

#include "base/net/http_client.h"

namespace flox::server {

Address::Address(std::initializer_list<std::string_view> segments) {
  for (const std::string_view segment : segments)
    if (!segment.empty()) text_ += "/" + url_encode(segment);
  if (text_.empty()) text_ = "/";
}

Address Address::with(std::string_view key, std::string_view value) const {
  Address result = *this;
  if (value.empty()) return result;
  result.text_ += (has_query_ ? "&" : "?") + url_encode(key) + "=" + url_encode(value);
  result.has_query_ = true;
  return result;
}

Address Address::of(std::string_view path, const std::map<std::string, std::string>& query) {
  Address result({});
  result.text_.clear();
  while (!path.empty()) {
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(segment.size() + 1, path.size()));
    if (!segment.empty()) result.text_ += "/" + url_encode(segment);
  }
  if (result.text_.empty()) result.text_ = "/";
  for (const auto& [key, value] : query) result = result.with(key, value);
  return result;
}

Address Address::within(std::string_view id) {
  Address result({});
  result.text_ = "#" + url_encode(id);
  return result;
}

Address Address::at(std::string_view id) const {
  Address result = *this;
  result.text_ += "#" + url_encode(id);
  return result;
}

}  // namespace flox::server
