#include "package/debian/import_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::package {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string refusal(std::string_view text) {
  try {
    parse_import_rules(text, "rules");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ImportRules, ThoseOfTheProgramSayHowGitAndPerlFindTheirFiles) {
  const ImportRules& rules = ImportRules::built_in();
  const auto has = [&](const char* name) {
    return std::any_of(rules.variables.begin(), rules.variables.end(),
                       [&](const auto& one) { return one.name == name; });
  };
  for (const char* name :
       {"GIT_EXEC_PATH", "PERL5LIB", "TZDIR", "LOCPATH", "SSL_CERT_FILE", "MAGICK_CODER_MODULE_PATH"})
    EXPECT_TRUE(has(name)) << name;
  EXPECT_EQ(rules.interpreters.at("bin/sh"), "dash");
}

TEST(ImportRules, ReadsARuleOfEachKind) {
  const auto rules = parse_import_rules(R"(
    leave-out = ["systemd*"]
    [[link]]
    place = "bin/*"
    targets = ["bin/*-im6.q16"]
    [[variable]]
    name = "A_B1"
    mode = "append"
    places = ["share/a"]
    environment = ["share/b"]
    [[arguments]]
    programs = ["sbin/x"]
    add = ["-p", "{tree}"]
    [[file]]
    place = "lib/a/b.py"
    content = "x"
    [[extra]]
    when = ["a"]
    add = ["b"]
  )",
                                        "rules");
  EXPECT_THAT(rules.leave_out, ElementsAre("systemd*"));
  EXPECT_EQ(rules.links.at(0).place, "bin/*");
  EXPECT_EQ(rules.variables.at(0).mode, ImportRules::Variable::Mode::append);
  EXPECT_THAT(rules.arguments.at(0).add, ElementsAre("-p", "{tree}"));
  EXPECT_EQ(rules.files.at(0).content, "x");
  EXPECT_THAT(rules.extras.at(0).add, ElementsAre("b"));
}

TEST(ImportRules, RefusesWhatTheFormatDoesNotHave) {
  EXPECT_THAT(refusal("surprise = 1"), HasSubstr("unknown member 'surprise'"));
  EXPECT_THAT(refusal("[[link]]\nplace = \"a\"\ntargets = []\nmore = 1"), HasSubstr("unknown member 'more'"));
  EXPECT_THAT(refusal("[[link]]\nplace = \"a\""), HasSubstr("'targets' is not a list"));
  EXPECT_THAT(refusal("[[variable]]\nname = \"A\"\nmode = \"maybe\"\nplaces = []"),
              HasSubstr("'maybe' is no mode"));
  EXPECT_THAT(refusal("copies = [1]"), HasSubstr("something other than a text"));
}

TEST(ImportRules, RefusesPlacesOutsideATreeAndNamesThatAreMoreThanAWord) {
  EXPECT_THAT(refusal("copies = [\"/etc/passwd\"]"), HasSubstr("is not a place in a tree"));
  EXPECT_THAT(refusal("copies = [\"../x\"]"), HasSubstr("is not a place in a tree"));
  EXPECT_THAT(refusal("[[variable]]\nname = \"A; rm\"\nmode = \"set\"\nplaces = []"),
              HasSubstr("not the name of a variable"));
}

}  // namespace
}  // namespace flox::package
