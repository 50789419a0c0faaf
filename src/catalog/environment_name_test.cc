#include "catalog/environment_name.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::catalog {
namespace {

TEST(EnvironmentName, is_owner_name_and_perhaps_a_generation) {
  const EnvironmentName name = parse_environment_name("acme/web-1.0:12");
  EXPECT_EQ(name.owner, "acme");
  EXPECT_EQ(name.name, "web-1.0");
  EXPECT_EQ(name.generation, 12);
  EXPECT_EQ(parse_environment_name("a/b").to_string(), "a/b");
  for (const char* bad :
       {"a", "/b", "a/", "a/b/c", "a/../b", "a/b:", "a/b:x", "a/b:0", "a/b:-1", "-a/b", "a/b c", ""})
    EXPECT_THROW(parse_environment_name(bad), Error) << bad;
}

}  // namespace
}  // namespace flox::catalog
