#include "server/pages/html.h"

#include <algorithm>

#include "base/data/xml.h"
#include "base/error.h"
#include "base/printable.h"

namespace flox::server {
namespace {

// What has a meaning in HTML, as text and within the quotes of an attribute: the same as in XML.
std::string escaped(std::string_view text) { return xml_escape(printable_lines(text)); }

// Elements without an end (HTML, section 13.1.2).
bool is_void(std::string_view name) {
  static constexpr std::string_view all[] = {"br", "hr", "img", "input", "link", "meta"};
  return std::ranges::find(all, name) != std::end(all);
}

}  // namespace

Attribute::Attribute(AttributeName name, std::string_view value) {
  markup_ = " " + std::string(name.text) + "=\"" + escaped(value) + "\"";
}

Attribute::Attribute(AttributeName name, bool is_present) {
  if (is_present) markup_ = " " + std::string(name.text);
}

Attribute Attribute::href(const Address& address) {
  Attribute result;
  result.markup_ = " href=\"" + escaped(address.text()) + "\"";
  return result;
}

Attribute Attribute::action(const Address& address) {
  Attribute result;
  result.markup_ = " action=\"" + escaped(address.text()) + "\"";
  return result;
}

Html::Html(std::string_view text) : markup_(escaped(text)) {}

Html Html::element(ElementName name, std::initializer_list<Attribute> attributes,
                   std::initializer_list<const Html*> children) {
  size_t size = 2 * name.text.size() + 5;
  for (const Attribute& attribute : attributes) size += attribute.markup().size();
  for (const Html* child : children) size += child->markup_.size();
  Html result;
  std::string& markup = result.markup_;
  markup.reserve(size);
  markup += '<';
  markup += name.text;
  for (const Attribute& attribute : attributes) markup += attribute.markup();
  markup += '>';
  if (is_void(name.text)) {
    if (children.size() != 0) fail(ErrorKind::internal, "<{}> has nothing in it", name.text);
    return result;
  }
  for (const Html* child : children) markup += child->markup_;
  markup += "</";
  markup += name.text;
  markup += '>';
  return result;
}

std::string Html::document(const Html& element) { return "<!DOCTYPE html>\n" + element.markup_ + "\n"; }

}  // namespace flox::server
