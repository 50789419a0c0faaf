// XML from outside, through expat: the only way in which this project reads it (script/lint refuses expat's
// own calls elsewhere). What we read is what S3 and STS answer: small documents of texts
// (docs/reference/ticket-workload.md).
//
// A document type declaration is refused, and with it every entity that a document could define: no text
// grows, and nothing is fetched.
#pragma once  // Fuzzed by fuzz/xml.cc.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace flox {

struct XmlLimits {
  size_t bytes = 1 << 20;
  size_t depth = 32;         // levels of elements
  size_t elements = 10'000;  // and attributes, in all
};

// Attributes, comments and processing instructions are not kept.
struct XmlElement {
  std::string name;  // as written, with its prefix
  std::string text;  // what stands directly in it: entities resolved, white space as written, UTF-8
  std::vector<XmlElement> children;

  // The first element of that name in the order of the document, this one too; null if there is none.
  const XmlElement* find(std::string_view wanted) const noexcept;
};

// The document's root. Throws Error(invalid_input) "NAME:LINE:COLUMN: …" for what is not well-formed XML 1.0
// in UTF-8 (also as US-ASCII, ISO-8859-1 or UTF-16, which expat knows), breaks a limit, or declares a
// document type. Lines and columns count from 1.
XmlElement parse_xml(std::string_view text, std::string_view name, const XmlLimits& limits = {});

// "a<b" -> "a&lt;b", for texts and attributes, of HTML, too.
std::string xml_escape(std::string_view text);

}  // namespace flox
