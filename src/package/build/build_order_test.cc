#include "package/build/build_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::package {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Builds builds(const std::map<std::string, std::string>& commands) {
  Builds result;
  for (const auto& [name, command] : commands) result[name].command = command;
  return result;
}

TEST(BuildOrder, has_what_a_build_uses_before_it) {
  const Builds all =
      builds({{"app", "cp ${lib-a}/x ${b}"}, {"b", "cat ${lib-a}"}, {"lib-a", "make"}, {"z", "make"}});
  EXPECT_THAT(builds_used_by(all, "app"), ElementsAre("b", "lib-a"));
  EXPECT_THAT(build_order(all, {"app"}), ElementsAre("lib-a", "b", "app"));
  EXPECT_THAT(build_order(all, {"z", "b", "app"}), ElementsAre("z", "lib-a", "b", "app"));
}

TEST(BuildOrder, takes_variables_for_what_they_are) {
  const Builds all = builds({{"app", "echo $lib ${libs} ${lib:-x} ${app} ${nothing}"}, {"lib", "make"}});
  EXPECT_THAT(builds_used_by(all, "app"), IsEmpty());
}

TEST(BuildOrder, refuses_a_circle_and_names_it) {
  const Builds all = builds({{"a", "${b}"}, {"b", "${c}"}, {"c", "${b}"}});
  try {
    build_order(all, {"a"});
    FAIL() << "there is no order";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("in a circle: b → c → b"));
  }
}

TEST(BuildOrder, puts_store_paths_in_place_of_names) {
  const auto path = nix::StorePath::containing("/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-lib-1");
  EXPECT_EQ(with_builds("cp ${lib}/a ${lib}/b ${other} $lib", {{"lib", path}}),
            fmt::format("cp {0}/a {0}/b ${{other}} $lib", path.to_string()));
}

}  // namespace
}  // namespace flox::package
