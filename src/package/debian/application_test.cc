// Packages come together as a tree, and an application's store path has of it what the user asked for.
#include "package/debian/application.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"
#include "nix/base32.h"
#include "package/debian/relocation.h"

namespace flox::package {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* rules_text = R"(
  rewrites = ["share/app/*.conf"]
  modules = ["share/mod"]
  copies = ["bin/prefixed"]
  [[link]]
  place = "bin/*"
  targets = ["bin/*.real"]
  [[variable]]
  name = "APP_DATA"
  mode = "if-unset"
  places = ["share/app"]
  [[variable]]
  name = "APP_PATH"
  mode = "append"
  places = ["share/data"]
  environment = ["share/more"]
  [[arguments]]
  programs = ["bin/tool"]
  add = ["-p", "{tree}/it's"]
)";

class ApplicationTest : public ::testing::Test {
 protected:
  // A piece that the test fills.
  fs::path piece(const std::string& name) {
    const fs::path files = work_.path() / name;
    fs::create_directories(files);
    const auto digest = placeholder_digest(name);
    pieces_.push_back(
        {.name = name, .path = nix::StorePath::from_base_name(digest + "-" + name + "-1"), .files = files});
    return files;
  }
  static void put(const fs::path& files, const std::string& place, const std::string& content,
                  unsigned mode = 0644) {
    fs::create_directories((files / place).parent_path());
    write_file(files / place, content, mode);
  }
  static void link(const fs::path& files, const std::string& place, const std::string& target) {
    fs::create_directories((files / place).parent_path());
    fs::create_symlink(target, files / place);
  }
  PackageTree tree() {
    PackageTree result(pieces_);
    result.apply(rules_);
    return result;
  }
  void write(const PackageTree& tree) {
    fs::create_directory(out_);
    write_application(tree, application_, rules_, Directory(out_));
  }

  TempDir work_;
  fs::path out_ = work_.path() / "out";
  std::vector<Piece> pieces_;
  ImportRules rules_ = parse_import_rules(rules_text, "rules");
  Application application_{.name = "tool",
                           .own_path = "/nix/store/placeholder-tool-1",
                           .own = {0},
                           .shell = "/nix/store/sh/bin/dash"};
};

TEST_F(ApplicationTest, LinksLeadWhereDebianWouldLeadThemOverPackages) {
  const auto own = piece("tool"), other = piece("data");
  link(own, "bin/vi", "../share/alternatives/vi");
  link(own, "lib/gone", "nowhere");
  link(other, "share/alternatives", "real");
  put(other, "share/real/vi", "x");
  const PackageTree together = tree();
  EXPECT_EQ(together.resolve("bin/vi"), "share/real/vi");
  EXPECT_EQ(together.resolve("share/alternatives"), "share/real");
  EXPECT_EQ(together.resolve("lib/gone"), std::nullopt);
  EXPECT_FALSE(together.entries().contains("lib/gone"));
}

TEST_F(ApplicationTest, LinksInACircleAndOutOfTheTreeLeadNowhere) {
  const auto own = piece("tool");
  link(own, "a", "b");
  link(own, "b", "a");
  link(own, "share/out", "../../../etc/shadow");
  EXPECT_THAT(tree().entries(), IsEmpty());
}

TEST_F(ApplicationTest, ARuleMakesTheLinksOfAlternatives) {
  const auto own = piece("tool");
  put(own, "bin/convert.real",
      "\x7f"
      "ELF",
      0755);
  const PackageTree together = tree();
  EXPECT_EQ(together.resolve("bin/convert"), "bin/convert.real");
  EXPECT_THAT(own_programs(together, application_), ElementsAre("bin/convert", "bin/convert.real"));
}

TEST_F(ApplicationTest, TheLinkOfAnAlternativeIsOfThePackageThatOffersIt) {
  const auto own = piece("tool"), other = piece("tool8.2");
  link(own, "bin/tool.real", "tool8.2");
  put(other, "bin/tool8.2",
      "\x7f"
      "ELF",
      0755);
  EXPECT_THAT(own_programs(tree(), application_), ElementsAre("bin/tool", "bin/tool.real"));
}

TEST_F(ApplicationTest, TheEnvironmentGetsThePackagesOwnFilesAlone) {
  const auto own = piece("tool"), other = piece("perl");
  put(own, "bin/tool",
      "\x7f"
      "ELF",
      0755);
  put(own, "share/man/man1/tool.1", "m");
  put(other, "bin/perl",
      "\x7f"
      "ELF",
      0755);
  put(other, "share/man/man1/perl.1", "m");
  write(tree());
  EXPECT_TRUE(fs::exists(fs::symlink_status(out_ / "bin/tool")));
  EXPECT_FALSE(fs::exists(fs::symlink_status(out_ / "bin/perl")));
  EXPECT_EQ(fs::read_symlink(out_ / "share/man"), pieces_[0].path.to_string() + "/share/man");
  EXPECT_EQ(fs::read_symlink(out_ / "libexec/flox/tool/bin/perl"), pieces_[1].path.to_string() + "/bin/perl");
  EXPECT_EQ(fs::read_symlink(out_ / "libexec/flox/tool/share/man/man1/perl.1"),
            pieces_[1].path.to_string() + "/share/man/man1/perl.1");
}

TEST_F(ApplicationTest, AScriptRunsUnderTheTreesInterpreterAndFindsTheTreesFiles) {
  const auto own = piece("tool"), other = piece("perl");
  put(own, "bin/script",
      "#!/usr/bin/env perl -w\nopen '/usr/share/data/list'; # /usr/share/nothing, x/usr/share/data/list\n");
  put(own, std::string(scripts_place), "bin/script\n");
  put(other, "bin/perl",
      "\x7f"
      "ELF",
      0755);
  put(other, "share/data/list", "l");
  write(tree());
  EXPECT_EQ(read_file(out_ / "libexec/flox/tool/bin/script"),
            "#!/nix/store/placeholder-tool-1/libexec/flox/tool/bin/perl -w\nopen "
            "'/nix/store/placeholder-tool-1/libexec/flox/tool/share/data/list'; # /usr/share/nothing, "
            "x/usr/share/data/list\n");
}

TEST_F(ApplicationTest, AScriptWithoutItsInterpreterIsNoProgram) {
  const auto own = piece("tool");
  put(own, "bin/script", "#!/usr/bin/ruby\n");
  put(own, std::string(scripts_place), "bin/script\n");
  EXPECT_THAT(own_programs(tree(), application_), IsEmpty());
}

TEST_F(ApplicationTest, AWrapperSetsWhatTheRulesSayAndQuotesIt) {
  const auto own = piece("tool");
  put(own, "bin/tool",
      "\x7f"
      "ELF",
      0755);
  put(own, "share/app/x", "x");
  put(own, "share/data/x", "x");
  const std::string script = wrapper_script(tree(), application_, rules_, "bin/tool");
  EXPECT_THAT(script, ::testing::StartsWith("#!/nix/store/sh/bin/dash\n"));
  EXPECT_THAT(
      script,
      HasSubstr("[ -n \"${APP_DATA+set}\" ] || "
                "APP_DATA='/nix/store/placeholder-tool-1/libexec/flox/tool/share/app'\nexport APP_DATA\n"));
  EXPECT_THAT(script,
              HasSubstr("export APP_PATH=\"${APP_PATH:+$APP_PATH:}${FLOX_ENV:+$FLOX_ENV/share/more:}\"'"));
  EXPECT_THAT(script, HasSubstr("exec '/nix/store/placeholder-tool-1/libexec/flox/tool/bin/tool' '-p' "
                                "'/nix/store/placeholder-tool-1/libexec/flox/tool/it'\\''s' \"$@\"\n"));
}

TEST_F(ApplicationTest, AProgramThatOthersOfTheTreeCallGetsItsArgumentsThere) {
  const auto own = piece("caller"), other = piece("compiler");
  for (const auto& [files, place] : {std::pair(own, "bin/caller"), std::pair(other, "bin/tool")})
    put(files, place,
        "\x7f"
        "ELF",
        0755);
  link(other, "bin/cc", "tool");
  application_.name = "caller";
  application_.own_path = "/nix/store/placeholder-caller-1";
  write(tree());
  EXPECT_EQ(
      read_file(out_ / "libexec/flox/caller/bin/tool"),
      fmt::format(
          "#!{}\nexec '{}/bin/tool' '-p' '/nix/store/placeholder-caller-1/libexec/flox/caller/it'\\''s' "
          "\"$@\"\n",
          application_.shell, pieces_[1].path.to_string()));
  EXPECT_EQ(fs::read_symlink(out_ / "libexec/flox/caller/bin/cc"), "tool");
}

TEST_F(ApplicationTest, AProgramThatFindsFilesBesideItselfIsACopy) {
  const auto own = piece("tool");
  put(own, "bin/prefixed",
      "\x7f"
      "ELF",
      0755);
  write(tree());
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(out_ / "libexec/flox/tool/bin/prefixed")));
}

TEST_F(ApplicationTest, APackageOfModulesBringsThoseThatItsModulesNeed) {
  const auto own = piece("tool"), other = piece("urllib3");
  put(own, "share/mod/requests/a.py", "a");
  put(other, "share/mod/urllib3/b.py", "b");
  put(other, "share/other/c", "c");
  write(tree());
  EXPECT_EQ(fs::read_symlink(out_ / "share/mod/urllib3"), pieces_[1].path.to_string() + "/share/mod/urllib3");
  EXPECT_FALSE(fs::exists(out_ / "share/other"));
}

TEST_F(ApplicationTest, APackageThatNeedsNothingIsItsOwnStorePath) {
  const auto own = piece("tool");
  put(own, "bin/static",
      "\x7f"
      "ELF",
      0755);
  EXPECT_TRUE(is_piece_itself(tree(), application_, rules_));
  put(own, "share/app/x", "x");  // now a rule applies
  EXPECT_FALSE(is_piece_itself(tree(), application_, rules_));
}

TEST(InterpreterPlace, IsWhereTheTreeHasIt) {
  EXPECT_EQ(interpreter_place("#!/bin/sh -e"), "bin/sh");
  EXPECT_EQ(interpreter_place("#! /usr/bin/env -S python3 -s"), "bin/python3");
  EXPECT_EQ(interpreter_place("#!/usr/bin/env perl"), "bin/perl");
  for (const char* none :
       {"", "#!", "#!perl", "#!/usr/bin/env", "#!/usr/bin/env ../x", "#!/usr/bin/env -i", "#!/"})
    EXPECT_EQ(interpreter_place(none), "") << none;
}

}  // namespace
}  // namespace flox::package
