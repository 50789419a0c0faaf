// HTML that is well-formed by construction: what somebody else has written can only become text.
//
//   el("p", {{"class", "note"}}, "Signed by ", el("strong", {}, key_name))
//
// Names of elements and attributes are literals, checked when this is compiled. There are no scripts, no
// event handlers and no styles in attributes, which the pages' Content-Security-Policy would refuse, too; and
// links lead to an Address.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "server/pages/address.h"

namespace flox::server {

namespace html_detail {

constexpr bool is_name(std::string_view text) {
  for (const char c : text)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'))
      return false;
  return !text.empty();
}

}  // namespace html_detail

class ElementName {
 public:
  consteval ElementName(const char* name) : text(name) {  // NOLINT(google-explicit-constructor)
    if (!html_detail::is_name(text) || text == "script" || text == "style" || text == "iframe" ||
        text == "object" || text == "embed" || text == "base")
      throw "no element of a page";
  }
  std::string_view text;
};

class AttributeName {
 public:
  consteval AttributeName(const char* name) : text(name) {  // NOLINT(google-explicit-constructor)
    if (!html_detail::is_name(text) || text.starts_with("on") || text == "style" || text == "srcdoc" ||
        text == "href" || text == "src" || text == "action" || text == "formaction" || text == "srcset")
      throw "no attribute of a page";
  }
  std::string_view text;
};

class Attribute {
 public:
  Attribute(AttributeName name, std::string_view value);
  Attribute(AttributeName name, uint64_t value) : Attribute(name, std::string_view(std::to_string(value))) {}
  // Present or not: {"selected", is_chosen}.
  Attribute(AttributeName name, bool is_present);
  // A literal is a text, not a truth.
  Attribute(AttributeName name, const char* value) : Attribute(name, std::string_view(value)) {}
  Attribute(AttributeName name, const std::string& value) : Attribute(name, std::string_view(value)) {}
  static Attribute href(const Address& address);
  static Attribute action(const Address& address);
  const std::string& markup() const noexcept { return markup_; }

 private:
  Attribute() = default;
  std::string markup_;  // with the space before it
};

// A part of a page. A value.
class Html {
 public:
  Html() = default;
  // A text: markup in it is shown as it is written. Control characters and those that turn the direction of
  // writing become U+FFFD (base/printable.h).
  Html(std::string_view text);                                     // NOLINT(google-explicit-constructor)
  Html(const std::string& text) : Html(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  Html(const char* text) : Html(std::string_view(text)) {}         // NOLINT(google-explicit-constructor)
  Html& operator+=(const Html& other) {
    markup_ += other.markup_;
    return *this;
  }
  bool empty() const noexcept { return markup_.empty(); }
  const std::string& markup() const noexcept { return markup_; }

  // An element with what is in it. <input>, <meta>, <link> and <br> have nothing in them.
  static Html element(ElementName name, std::initializer_list<Attribute> attributes,
                      std::initializer_list<const Html*> children);
  // "<!DOCTYPE html>" and the element.
  static std::string document(const Html& element);

 private:
  std::string markup_;
};

template <typename... Children>
Html el(ElementName name, std::initializer_list<Attribute> attributes, const Children&... children) {
  // Each lives until the call ends.
  return [&](const auto&... made) {
    return Html::element(name, attributes, {&made...});
  }(static_cast<const Html&>(Html(children))...);
}

}  // namespace flox::server
