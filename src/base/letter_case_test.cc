#include "base/letter_case.h"

#include <gtest/gtest.h>

namespace flox {
namespace {

TEST(LetterCase, letters_of_ascii_are_made_small_and_no_others) {
  EXPECT_EQ(lower_case("Content-LENGTH: Z@[`{9"), "content-length: z@[`{9");
  EXPECT_EQ(lower_case("\xC3\x84"), "\xC3\x84");  // Ä
}

TEST(LetterCase, texts_that_differ_in_the_case_of_their_letters_are_the_same) {
  EXPECT_TRUE(is_same_in_any_case("Chunked", "cHUNKED"));
  EXPECT_FALSE(is_same_in_any_case("chunked", "chunke"));
  EXPECT_FALSE(is_same_in_any_case("@", "`"));
}

}  // namespace
}  // namespace flox
