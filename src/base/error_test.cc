#include "base/error.h"

#include <gtest/gtest.h>

namespace flox {
namespace {

TEST(Error, chain_reads_from_what_was_attempted_to_what_went_wrong) {
  try {
    in_context("installing web",
               [] { in_context("fetching x", [] { fail(ErrorKind::untrusted, "bad hash {}", 1); }); });
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "installing web: fetching x: bad hash 1");
    EXPECT_EQ(error.kind(), ErrorKind::untrusted);
  }
}

TEST(Error, the_innermost_advice_is_kept) {
  Error error =
      Error(ErrorKind::not_found, "x", "look there").with_context("a").with_advice("somewhere else");
  EXPECT_EQ(error.advice(), "look there");
}

}  // namespace
}  // namespace flox
