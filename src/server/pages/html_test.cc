#include "server/pages/html.h"

#include <gtest/gtest.h>

namespace flox::server {
namespace {

TEST(Html, WhatSomebodyHasWrittenBecomesText) {
  EXPECT_EQ(el("p", {}, "<script>alert('1')</script> & \"more\"").markup(),
            "<p>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;more&quot;</p>");
}

TEST(Html, AnAttributeCannotBeLeft) {
  EXPECT_EQ(el("p", {{"title", "\" onclick=\"x"}}).markup(), "<p title=\"&quot; onclick=&quot;x\"></p>");
}

TEST(Html, WhatTurnsTheDirectionOfWritingIsShown) {
  EXPECT_EQ(Html("a\u202Eb\x1B").markup(), "a\uFFFDb\uFFFD");
}

TEST(Html, ElementsNestAndOnlyTextIsEscaped) {
  const Html item = el("li", {{"class", "one"}}, "a<b");
  EXPECT_EQ(el("ul", {}, item, item, "&").markup(),
            "<ul><li class=\"one\">a&lt;b</li><li class=\"one\">a&lt;b</li>&amp;</ul>");
}

TEST(Html, ElementsWithoutAnEndHaveNone) {
  EXPECT_EQ(
      el("input", {{"name", "q"}, {"checked", true}, {"disabled", false}, {"size", uint64_t{20}}}).markup(),
      "<input name=\"q\" checked size=\"20\">");
}

TEST(Html, LinksLeadToAddressesOfTheCatalog) {
  EXPECT_EQ(
      el("a", {Attribute::href(Address({"packages", "c++"}).with("version", "1&2").at("top"))}).markup(),
      "<a href=\"/packages/c%2B%2B?version=1%262#top\"></a>");
  EXPECT_EQ(el("a", {Attribute::href(Address({"javascript:alert(1)", "//evil.example"}))}).markup(),
            "<a href=\"/javascript%3Aalert%281%29/%2F%2Fevil.example\"></a>");
}

}  // namespace
}  // namespace flox::server
