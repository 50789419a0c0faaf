#include "base/data/xml.h"

#include <expat.h>

#include <memory>

namespace flox {
namespace {

// Builds the tree from expat's events; these must not throw, so what is refused stops the parser.
class Builder {
 public:
  Builder(std::string_view text, std::string_view name, const XmlLimits& limits)
      : text_(text), name_(name), limits_(limits), parser_(XML_ParserCreate(nullptr)) {
    if (!parser_) fail(ErrorKind::internal, "{}: no memory for the XML parser", name);
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(parser_.get(), &on_start, &on_end);
    XML_SetCharacterDataHandler(parser_.get(), &on_text);
    XML_SetStartDoctypeDeclHandler(parser_.get(), &on_doctype);
  }

  XmlElement build() {
    if (text_.size() > limits_.bytes)
      fail(ErrorKind::invalid_input, "{}: {} bytes are over the limit of {}", name_, text_.size(),
           limits_.bytes);
    const XML_Status status =
        XML_Parse(parser_.get(), text_.data(), static_cast<int>(text_.size()), XML_TRUE);
    if (!refusal_.empty()) fail(ErrorKind::invalid_input, "{}", refusal_);
    if (status != XML_STATUS_OK)
      fail(ErrorKind::invalid_input, "{}",
           here(fmt::format("not XML: {}", XML_ErrorString(XML_GetErrorCode(parser_.get())))));
    return std::move(root_);
  }

 private:
  struct Free {
    void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
  };

  std::string here(std::string_view why) const {
    return fmt::format("{}:{}:{}: {}", name_, XML_GetCurrentLineNumber(parser_.get()),
                       XML_GetCurrentColumnNumber(parser_.get()) + 1, why);
  }

  void refuse(std::string_view why) {
    if (refusal_.empty()) refusal_ = here(why);
    XML_StopParser(parser_.get(), XML_FALSE);
  }

  static void on_start(void* user, const XML_Char* name, const XML_Char** attributes) {
    auto& self = *static_cast<Builder*>(user);
    if (!self.refusal_.empty()) return;
    ++self.elements_;
    for (; *attributes != nullptr; attributes += 2) ++self.elements_;
    if (self.open_.size() >= self.limits_.depth)
      return self.refuse(fmt::format("nested more than {} levels deep", self.limits_.depth));
    if (self.elements_ > self.limits_.elements)
      return self.refuse(fmt::format("more than {} elements and attributes", self.limits_.elements));
    // The siblings of an open element do not grow: it stays where it is.
    XmlElement* const element =
        self.open_.empty() ? &self.root_ : &self.open_.back()->children.emplace_back();
    element->name = name;
    self.open_.push_back(element);
  }
  static void on_end(void* user, const XML_Char*) {
    auto& self = *static_cast<Builder*>(user);
    if (self.refusal_.empty()) self.open_.pop_back();
  }
  static void on_text(void* user, const XML_Char* text, int size) {
    auto& self = *static_cast<Builder*>(user);
    if (self.refusal_.empty()) self.open_.back()->text.append(text, static_cast<size_t>(size));
  }
  static void on_doctype(void* user, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    static_cast<Builder*>(user)->refuse("it declares a document type, which is not accepted");
  }

  std::string_view text_;
  std::string_view name_;
  const XmlLimits& limits_;
  std::unique_ptr<XML_ParserStruct, Free> parser_;
  XmlElement root_;
  std::vector<XmlElement*> open_;
  size_t elements_ = 0;
  std::string refusal_;  // and where
};

}  // namespace

const XmlElement* XmlElement::find(std::string_view wanted) const noexcept {
  if (name == wanted) return this;
  for (const XmlElement& child : children)
    if (const XmlElement* found = child.find(wanted)) return found;
  return nullptr;
}

XmlElement parse_xml(std::string_view text, std::string_view name, const XmlLimits& limits) {
  return Builder(text, name, limits).build();
}

std::string xml_escape(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (const char c : text) switch (c) {
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '&':
        result += "&amp;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += c;
    }
  return result;
}

}  // namespace flox
