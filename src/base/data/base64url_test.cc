#include "base/data/base64url.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox {
namespace {

TEST(Base64Url, has_no_padding_and_no_characters_that_a_url_has_other_uses_for) {
  EXPECT_EQ(to_base64url(""), "");
  EXPECT_EQ(to_base64url("f"), "Zg");
  EXPECT_EQ(to_base64url("\xfb\xff\xfe"), "-__-");
  for (const char* text : {"", "Zg", "Zm8", "Zm9v", "-__-"})
    EXPECT_EQ(to_base64url(from_base64url(text)), text);
}

TEST(Base64Url, one_text_stands_for_the_bytes_and_no_other) {
  for (const char* text : {"Zg==", "Zh", "Z", "+//+", "Zm9v\n", " Zg", "Zg.", "Zm9vé"})
    EXPECT_THROW(from_base64url(text), Error) << text;
}

}  // namespace
}  // namespace flox
