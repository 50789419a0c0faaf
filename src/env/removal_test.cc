#include "env/removal.h"

#include <gtest/gtest.h>

#include "base/os/file.h"

namespace flox::env {
namespace {

TEST(Removal, ends_what_was_begun_and_says_whether_there_was_something) {
  const TempDir dir;
  EXPECT_FALSE(finish_removal(dir.path()));
  fs::create_directories(dir.path() / ".flox-deleted/env");
  EXPECT_TRUE(finish_removal(dir.path()));
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

}  // namespace
}  // namespace flox::env
