#include "server/pages/closures.h"

#include <gtest/gtest.h>

#include "server/testing/uploads.h"

namespace flox::server {
namespace {

class ClosuresTest : public UploadTest {
 protected:
  static catalog::PackageBuild build_of(const char* name, const char* license) {
    catalog::PackageBuild made{.name = name, .version = "1.0", .system = "x86_64-linux"};
    made.license = license;
    made.outputs.emplace("out", path('0'));
    return made;
  }
  std::string said_of(const catalog::PackageBuild& build) {
    const auto bill = closures_.of(build, Caller());
    const auto& package = bill->components.at(0).package;
    return bill->name + ": " + package.name + " " + package.license;
  }
  Accounts accounts_{*database_, {.operator_token = Secret("secret")}};
  Closures closures_{cache_, accounts_};
};

TEST_F(ClosuresTest, of_builds_with_the_same_paths_say_each_what_its_own_package_is) {
  upload('0', "web");
  EXPECT_EQ(said_of(build_of("evil", "MIT")), "evil 1.0: evil MIT");
  EXPECT_EQ(said_of(build_of("web", "MIT")), "web 1.0: web MIT");
  EXPECT_EQ(said_of(build_of("web", "Zlib")), "web 1.0: web Zlib");
  EXPECT_EQ(said_of(build_of("evil", "MIT")), "evil 1.0: evil MIT");
}

TEST_F(ClosuresTest, are_remembered_by_all_that_the_bill_depends_on) {
  upload('0', "web");
  const auto first = closures_.of(build_of("web", "MIT"), Caller());
  EXPECT_EQ(closures_.of(build_of("web", "MIT"), Caller()), first);
  EXPECT_NE(closures_.of(build_of("web", "Zlib"), Caller()), first);
}

}  // namespace
}  // namespace flox::server
