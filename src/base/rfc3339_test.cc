#include "base/rfc3339.h"

#include <gtest/gtest.h>

namespace flox {
namespace {

TEST(Rfc3339, is_in_utc_and_has_four_digits_of_a_year) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339(951'827'696), "2000-02-29T12:34:56Z");
  EXPECT_EQ(rfc3339(253'402'300'799), "9999-12-31T23:59:59Z");
}

TEST(Rfc3339, has_three_digits_of_a_second_where_milliseconds_are_given) {
  using std::chrono::milliseconds;
  EXPECT_EQ(rfc3339(std::chrono::sys_time<milliseconds>(milliseconds(951'827'696'007))),
            "2000-02-29T12:34:56.007Z");
}

}  // namespace
}  // namespace flox
