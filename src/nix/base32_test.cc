#include "nix/base32.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/data/sha256.h"
#include "testing/error_of.h"

namespace flox::nix {
namespace {

using testing::HasSubstr;

TEST(Base32, agrees_with_nix_on_a_known_digest) {
  const std::string text = "00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq";
  EXPECT_EQ(to_base32(bytes_of(sha256("hello\n"))), text);
  EXPECT_EQ(from_base32(text, 32), bytes_of(sha256("hello\n")));
  EXPECT_EQ(to_base32(""), "");
}

TEST(Base32, refuses_what_cannot_be_an_encoding) {
  EXPECT_THAT(error_of([] { from_base32("0e", 1); }), HasSubstr("character 'e'"));
  EXPECT_THAT(error_of([] { from_base32("000", 1); }), HasSubstr("3 characters instead of 2"));
  EXPECT_THAT(error_of([] { from_base32("zz", 1); }), HasSubstr("too many bits"));
  EXPECT_EQ(from_base32("7z", 1), "\xff");
}

}  // namespace
}  // namespace flox::nix
