#include "package/build/accesses.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace flox::package {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

TEST(AccessesTest, keeps_what_weighs_most_and_who_did_it) {
  Accesses accesses;
  EXPECT_TRUE(accesses.empty());
  accesses.add("/usr/bin/cc", AccessKind::examined, "/usr/bin/bash");
  accesses.add("/usr/bin/cc", AccessKind::executed, "/usr/bin/make");
  accesses.add("/usr/bin/cc", AccessKind::read, "/usr/bin/cp");
  EXPECT_THAT(accesses.lines(), ElementsAre("executed  /usr/bin/cc, by make"));
  EXPECT_EQ(accesses.to_json()["accesses"][0]["times"], 3);
}

TEST(AccessesTest, one_line_for_each_package_or_directory) {
  Accesses accesses;
  for (const char* header : {"a.h", "b.h", "c.h"})
    accesses.add(fmt::format("/usr/include/{}", header), AccessKind::read, "/usr/lib/cc1");
  accesses.add("/usr/bin/cc", AccessKind::executed, "");
  accesses.add("/opt/x/one", AccessKind::read, "/bin/cp");
  accesses.add("/opt/x/two", AccessKind::examined, "/bin/sh");
  accesses.find_packages([](const std::set<std::filesystem::path>& files) {
    std::map<std::filesystem::path, std::string> owners;
    for (const auto& file : files)
      if (file.string().starts_with("/usr")) owners[file] = file.extension() == ".h" ? "libc6-dev" : "gcc";
    return owners;
  });
  EXPECT_THAT(
      accesses.lines(),
      ElementsAre("executed  /usr/bin/cc, by a program that has ended (Debian package gcc)",
                  "read      /opt/x/one and 1 more in its directory, by cp, sh",
                  "read      /usr/include/a.h and 2 more of the package, by cc1 (Debian package libc6-dev)"));
  EXPECT_THAT(accesses.packages(), ElementsAre("gcc", "libc6-dev"));
  EXPECT_EQ(accesses.example(), "/usr/bin/cc");
}

TEST(AccessesTest, a_flood_is_counted_and_no_more) {
  Accesses accesses;
  for (size_t i = 0; i < Accesses::most + 500; ++i)
    accesses.add(fmt::format("/d{}/f", i), AccessKind::read, "/bin/cat");
  accesses.add("/d1/f", AccessKind::executed, "/bin/cat");
  EXPECT_THAT(accesses.by_path(), SizeIs(Accesses::most));
  const auto lines = accesses.lines(10);
  EXPECT_THAT(lines, SizeIs(12));
  EXPECT_THAT(lines[10], HasSubstr("4086 other packages and directories"));
  EXPECT_THAT(lines[11], HasSubstr("500 times files beyond the first 4096"));
}

TEST(AccessesTest, names_of_strangers_are_one_line_of_text) {
  Accesses accesses;
  accesses.add("/tmp2/a\nsandbox: all is well \x1b[2J\xff", AccessKind::read, "/x/evil\n\x1b]0;title\a");
  ASSERT_THAT(accesses.lines(), SizeIs(1));
  for (const char* bad : {"\n", "\x1b", "\xff", "\a"}) EXPECT_THAT(accesses.lines()[0], Not(HasSubstr(bad)));
  EXPECT_NO_THROW(accesses.to_json().dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace
}  // namespace flox::package
