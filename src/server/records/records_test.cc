#include "server/records/records.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "server/testing/records.h"

namespace flox::server {
namespace {

TEST_F(RecordsTest, a_published_version_never_changes) {
  EXPECT_TRUE(records_.add(build("web", "1.0")));
  EXPECT_FALSE(records_.add(build("web", "1.0")));
  EXPECT_THROW(records_.add(build("web", "1.0", "", '1')), Error);
  EXPECT_EQ(records_.count(), 1);
}

TEST_F(RecordsTest, search_can_be_for_one_system) {
  records_.add(build("web", "1.0"));
  EXPECT_EQ(search(records_, "web", "x86_64-linux").size(), 1u);
  EXPECT_TRUE(search(records_, "web", "aarch64-linux").empty());
}

TEST_F(RecordsTest, search_looks_into_names_and_descriptions_and_takes_the_term_as_it_is) {
  records_.add(build("web", "1.0"));
  records_.add(build("web", "1.1"));
  records_.add(build("other", "1.0"));
  ASSERT_EQ(search(records_, "WE").size(), 1u);
  EXPECT_EQ(search(records_, "WE")[0].version, "1.1");
  EXPECT_EQ(search(records_, "about").size(), 2u);
  EXPECT_TRUE(search(records_, "%").empty());
  EXPECT_TRUE(search(records_, "' or 1=1 --").empty());
}

TEST_F(RecordsTest, signers_are_computed_again_for_other_keys_until_all_are) {
  records_.add(build("web", "1.0"));
  records_.add(build("web", "1.1"));
  int calls = 0;
  const auto sign = [&](const std::vector<catalog::PackageBuild>& builds) {
    ++calls;
    return std::vector<std::string>(builds.size(), "ops-1");
  };
  EXPECT_THROW(records_.set_signers("ops-1:key",
                                    [](const auto&) -> std::vector<std::string> {
                                      throw Error(ErrorKind::unavailable, "stopped");
                                    }),
               Error);
  EXPECT_EQ(records_.builds("web")[0].signer, "");
  records_.set_signers("ops-1:key", sign);
  for (const auto& one : records_.builds("web")) EXPECT_EQ(one.signer, "ops-1");
  EXPECT_EQ(calls, 1);
  records_.set_signers("ops-1:key", sign);
  EXPECT_EQ(calls, 1);
}

TEST_F(RecordsTest, the_systems_of_packages_are_known) {
  records_.add(build("web", "1.0"));
  catalog::PackageBuild other = build("web", "1.1");
  other.system = "aarch64-linux";
  records_.add(other);
  records_.add(build("other", "1.0"));
  EXPECT_EQ(records_.systems({"web", "nothing"}),
            (std::map<std::string, std::set<std::string>>{{"web", {"aarch64-linux", "x86_64-linux"}}}));
  EXPECT_EQ(records_.systems({"other", "web"}).size(), 2u);
}

}  // namespace
}  // namespace flox::server
