#include "env/renaming.h"

#include <gtest/gtest.h>

#include "base/os/file.h"
#include "env/testing/any_resolver.h"
#include "testing/error_of.h"

namespace flox::env {
namespace {

class RenamingTest : public testing::Test {
 protected:
  std::string named() const { return Environment::open(dir_.path()).name(); }
  fs::path pointer() const { return dir_.path() / ".flox/env.json"; }
  TempDir dir_;
  Environment environment_ = Environment::init(dir_.path(), "old");
};

TEST_F(RenamingTest, changes_the_name_and_nothing_else) {
  write_file(pointer(), R"({"version": 1, "name": "old", "more": [1]})");
  rename_environment(environment_, "new", {});
  EXPECT_EQ(named(), "new");
  EXPECT_EQ(read_file(pointer()),
            "{\n  \"version\": 1,\n  \"name\": \"new\",\n  \"more\": [\n    1\n  ]\n}\n");
}

TEST_F(RenamingTest, refuses_what_cannot_be_a_name) {
  for (const std::string& name : {std::string(), std::string("a b"), std::string("a/b"), std::string(".."),
                                  std::string("a\nb"), std::string(201, 'a')})
    EXPECT_NE(error_of([&] { rename_environment(environment_, name, {}); }), "no error") << name;
  EXPECT_EQ(named(), "old");
}

TEST_F(RenamingTest, leaves_the_name_that_a_catalog_has) {
  write_file(pointer(), R"({"version": 1, "name": "old", "owner": "acme"})");
  EXPECT_NE(error_of([&] { rename_environment(environment_, "new", {}); }, ErrorKind::conflict), "no error");
  EXPECT_EQ(named(), "old");
}

}  // namespace
}  // namespace flox::env
