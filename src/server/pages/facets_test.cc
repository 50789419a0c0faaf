#include "server/pages/facets.h"

#include <gtest/gtest.h>

namespace flox::server {
namespace {

Match match(const char* name, const char* owner, const char* license, std::set<std::string> systems) {
  Match made;
  made.build.name = name;
  made.build.owner = owner;
  made.build.license = license;
  made.systems = std::move(systems);
  return made;
}

const std::vector<Match> all{match("a", "acme", "MIT", {"x86_64-linux"}),
                             match("b", "acme", "Zlib", {"x86_64-linux", "aarch64-linux"}),
                             match("c", "", "MIT", {"aarch64-linux"})};

std::string text(const std::vector<FacetValue>& values) {
  std::string result;
  for (const auto& [value, count] : values) result += value + "=" + std::to_string(count) + " ";
  return result;
}

TEST(Facets, CountWhatTheOtherChoicesLeave) {
  const Facets facets = facets_of(all, {.system = {}, .owner = "acme", .license = {}}, 10);
  EXPECT_EQ(text(facets.systems), "x86_64-linux=2 aarch64-linux=1 ");
  EXPECT_EQ(text(facets.owners), "acme=2 ");
  EXPECT_EQ(text(facets.licenses), "MIT=1 Zlib=1 ");
}

TEST(Facets, AChoiceThatNothingHasIsStillThereToBeTakenBack) {
  EXPECT_EQ(text(facets_of(all, {.system = {}, .owner = "nobody", .license = {}}, 10).owners),
            "nobody=0 acme=2 ");
}

TEST(Facets, AreBoundedAndKeepTheChoice) {
  const Facets facets = facets_of(all, {.system = {}, .owner = {}, .license = "Zlib"}, 1);
  EXPECT_EQ(text(facets.licenses), "Zlib=1 ");
  EXPECT_EQ(facets.systems.size(), 1U);
}

TEST(Facets, AFilterAdmitsWhatHasAll) {
  EXPECT_TRUE((Filter{.system = "aarch64-linux", .owner = "acme", .license = "Zlib"}).admits(all[1]));
  EXPECT_FALSE((Filter{.system = "aarch64-linux", .owner = "acme", .license = {}}).admits(all[0]));
}

}  // namespace
}  // namespace flox::server
