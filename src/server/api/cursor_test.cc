#include "server/api/cursor.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::server {
namespace {

TEST(Cursor, says_what_it_is_made_of) {
  const CursorKey key{"web", "1.0+ä", "x86_64-linux", ""};
  EXPECT_EQ(parse_cursor(to_cursor(key), 4), key);
  EXPECT_EQ(parse_cursor(to_cursor({""}), 1), CursorKey{""});
}

TEST(Cursor, of_another_list_or_of_nobody_is_refused) {
  for (const char* bad : {"", "x", "====", "AAAA", "d2Vi"}) EXPECT_THROW(parse_cursor(bad, 1), Error) << bad;
  EXPECT_THROW(parse_cursor(to_cursor({"web", "1"}), 1), Error);
  EXPECT_THROW(parse_cursor(to_cursor({"web"}), 2), Error);
  EXPECT_THROW(parse_cursor(to_cursor({std::string(4000, 'x')}), 1), Error);
}

}  // namespace
}  // namespace flox::server
