// XML as services answer it, and as strangers could.
#include "base/data/xml.h"

#include <gmock/gmock.h>

namespace flox {
namespace {

using testing::HasSubstr;

std::string refusal_of(std::string_view text, const XmlLimits& limits = {}) {
  try {
    parse_xml(text, "answer", limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
    return error.what();
  }
  return "";
}

TEST(Xml, is_a_tree_of_elements_and_their_texts) {
  const XmlElement root = parse_xml(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error a=\"b\"><Code>NoSuch&amp;&#75;ey</Code><!-- no -->"
      "<Message>a<![CDATA[<b>]]> é</Message><Empty/></Error>\n",
      "answer");
  EXPECT_EQ(root.name, "Error");
  ASSERT_EQ(root.children.size(), 3u);
  EXPECT_EQ(root.find("Code")->text, "NoSuch&Key");
  EXPECT_EQ(root.find("Message")->text, "a<b> é");
  EXPECT_EQ(root.find("Empty")->text, "");
  EXPECT_EQ(root.find("Error"), &root);
  EXPECT_EQ(root.find("Nothing"), nullptr);
}

TEST(Xml, finds_the_first_element_in_the_order_of_the_document) {
  const XmlElement root = parse_xml("<r><a><b>1</b></a><b>2</b></r>", "answer");
  EXPECT_EQ(root.find("b")->text, "1");
}

TEST(Xml, says_where_a_text_is_not_well_formed) {
  EXPECT_THAT(refusal_of("<a>\n  <b></a>"), HasSubstr("answer:2:8: not XML: mismatched tag"));
  for (const char* bad :
       {"", "text", "<a>", "<a></a><b/>", "<a>&unknown;</a>", "<a b=c/>", "<a>\xff</a>", "{\"json\": true}"})
    EXPECT_THAT(refusal_of(bad), HasSubstr("not XML")) << bad;
}

TEST(Xml, no_document_defines_entities_or_names_files) {
  EXPECT_THAT(refusal_of("<!DOCTYPE a [<!ENTITY x \"xx\"><!ENTITY y \"&x;&x;\">]><a>&y;</a>"),
              HasSubstr("document type"));
  EXPECT_THAT(refusal_of("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>"),
              HasSubstr("document type"));
  EXPECT_THAT(refusal_of("<!DOCTYPE a SYSTEM \"http://127.0.0.1/a.dtd\"><a/>"), HasSubstr("document type"));
}

TEST(Xml, is_bounded_in_bytes_depth_and_elements) {
  std::string deep, wide;
  for (int i = 0; i < 33; ++i) deep += "<a>";
  for (int i = 0; i < 10'000; ++i) wide += "<a/>";
  EXPECT_THAT(refusal_of(deep), HasSubstr("answer:1:97: nested more than 32 levels deep"));
  EXPECT_THAT(refusal_of("<r>" + wide + "</r>"), HasSubstr("more than 10000 elements"));
  EXPECT_THAT(refusal_of("<r a='1' b='2'/>", {.elements = 2}), HasSubstr("more than 2 elements"));
  EXPECT_THAT(refusal_of("<r>" + std::string(1 << 20, ' ') + "</r>"), HasSubstr("over the limit"));
  std::string million;
  for (int i = 0; i < 300'000; ++i) million += "<a>";
  EXPECT_THAT(refusal_of(million), HasSubstr("levels deep"));
}

TEST(Xml, a_text_is_escaped_so_that_it_is_read_as_it_was) {
  const std::string text = "a<b> & \"c\" 'd'";
  EXPECT_EQ(xml_escape("a<b"), "a&lt;b");
  EXPECT_EQ(parse_xml("<r>" + xml_escape(text) + "</r>", "answer").text, text);
}

}  // namespace
}  // namespace flox
