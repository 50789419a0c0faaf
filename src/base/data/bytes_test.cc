#include "base/data/bytes.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox {
namespace {

TEST(Bytes, hexadecimal_and_base64_go_there_and_back) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (size_t length : {0u, 1u, 2u, 3u, 256u}) {
    EXPECT_EQ(from_hex(to_hex(all.substr(0, length))), all.substr(0, length));
    EXPECT_EQ(from_base64(to_base64(all.substr(0, length))), all.substr(0, length));
  }
  EXPECT_THROW(from_hex("zz"), Error);
  EXPECT_THROW(from_base64("a"), Error);
}

TEST(Bytes, a_value_has_one_text_in_base64) {
  EXPECT_EQ(from_base64("aGk="), "hi");
  for (const char* text : {"aGl=", "aG==", "aG==aGk=", "aGk=    ", "    aGk=", "aGlo----", "===="})
    EXPECT_THROW(from_base64(text), Error) << text;
}

}  // namespace
}  // namespace flox
