#include "server/pages/address.h"

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
