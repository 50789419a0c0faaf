// Addresses within this catalog. Others cannot be made, so no page has a link that somebody else has chosen.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

namespace flox::server {

// "/packages/c%2B%2B?version=1.0#closure". A value; what it is made of is percent-encoded (RFC 3986, section
// 2.1).
class Address {
 public:
  // Of the path's segments; without any, the start page. An empty segment is left out.
  Address(std::initializer_list<std::string_view> segments);
  // With a member of the query; without one if the value is empty.
  Address with(std::string_view key, std::string_view value) const;
  // Of a request, decoded.
  static Address of(std::string_view path, const std::map<std::string, std::string>& query);
  // An element of the page that is open, by its id.
  static Address within(std::string_view id);
  // At an element of the page, by its id.
  Address at(std::string_view id) const;
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
  bool has_query_ = false;
};

}  // namespace flox::server
