// XML from anywhere, through the one function that reads it.
#include "base/data/xml.h"

#include "fuzz.h"

namespace flox::fuzz::of_xml {
namespace {

constexpr XmlLimits limits{};

size_t measure(const XmlElement& element, size_t depth) {
  require(depth <= limits.depth, "no document is nested deeper than the limit");
  require(!element.name.empty(), "every element has a name");
  size_t elements = 1;
  for (const XmlElement& child : element.children) elements += measure(child, depth + 1);
  return elements;
}

size_t texts(const XmlElement& element) {
  size_t bytes = element.text.size();
  for (const XmlElement& child : element.children) bytes += texts(child);
  return bytes;
}

}  // namespace

void one(std::string_view input) {
  XmlElement root;
  if (!accepts([&] { root = parse_xml(input, "input"); })) return;
  require(measure(root, 1) <= limits.elements, "no document has more elements than the limit");
  // ISO-8859-1 and UTF-16 take up to two bytes for one, and no entity is expanded.
  require(texts(root) <= 2 * input.size(), "no text grows");
  require(parse_xml("<r>" + xml_escape(root.name) + "</r>", "again").text == root.name,
          "what is escaped is read as it was");
}

}  // namespace flox::fuzz::of_xml
