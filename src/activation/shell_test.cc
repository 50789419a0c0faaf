#include "activation/shell.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/os/file.h"
#include "base/os/process.h"

namespace flox::activation {
namespace {

constexpr Shell all[] = {Shell::sh, Shell::bash, Shell::zsh, Shell::fish, Shell::tcsh};

bool is_there(Shell shell) {
  return run({.argv = {"sh", "-c", "command -v " + std::string(name_of(shell))},
              .env = {},
              .cwd = {},
              .input = {}})
             .exit_code == 0;
}

std::string said(Shell shell, const std::string& text) {
  return run({.argv = {std::string(name_of(shell)), "-c", text},
              .env = {{"OWN", "own"}},
              .cwd = {},
              .input = {}})
      .out;
}

TEST(Shell, is_known_by_the_name_of_its_program) {
  EXPECT_EQ(shell_named("/usr/bin/zsh"), Shell::zsh);
  EXPECT_EQ(shell_named("-bash"), Shell::bash);
  EXPECT_EQ(shell_named("/bin/dash"), Shell::sh);
  EXPECT_EQ(shell_named("/bin/nu"), std::nullopt);
  EXPECT_EQ(shell_named(""), std::nullopt);
}

TEST(Shell, an_identifier_is_what_every_shell_can_set) {
  EXPECT_TRUE(is_identifier("_A1"));
  for (const char* name : {"", "1A", "A-B", "BASH_FUNC_x%%", "a;b"})
    EXPECT_FALSE(is_identifier(name)) << name;
}

// What is exported comes out again, whatever it is: each shell is asked itself.
TEST(Shell, exports_any_text_as_it_is) {
  std::mt19937 random(7);
  const std::string characters = "'\"\\$`!{}()[]*?~#&|;<>%^ \t=:-aZ0";
  for (const Shell shell : all) {
    if (!is_there(shell)) continue;
    std::string script, expected;
    for (int i = 0; i < 60; ++i) {
      std::string value;
      for (size_t length = random() % 12; length > 0; --length)
        value += characters[random() % characters.size()];
      if (shell != Shell::tcsh && i % 3 == 0) value += "\nüber";
      script += exported(shell, "OWN", value) + "printenv OWN;\n";
      expected += value + "\n";
    }
    EXPECT_EQ(said(shell, script), expected) << name_of(shell);
  }
}

TEST(Shell, puts_entries_in_front_and_unsets) {
  for (const Shell shell : all) {
    if (!is_there(shell)) continue;
    const std::string script = put_in_front(shell, "PATH", "/it's/first") + "printenv PATH;\n" +
                               unset(shell, "OWN") + "printenv OWN;\n";
    const std::string out = said(shell, script);
    EXPECT_TRUE(out.starts_with("/it's/first:/")) << name_of(shell) << out;
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1) << name_of(shell) << out;
  }
}

// A script that fails, somewhere or at its end, ends no shell, whatever the user has set; and that stays set.
TEST(Shell, sources_a_script_whose_status_does_not_count) {
  const TempDir dir;
  const fs::path script = dir.path() / "it's a script";
  write_file(script, "false\necho sourced\nfalse\n");
  for (const Shell shell : all) {
    if (!is_there(shell)) continue;
    // The code comes in a variable: that is eval of what flox has printed.
    const bool posix = shell != Shell::fish && shell != Shell::tcsh;
    const std::string code = sourced(shell, script);
    const auto in_eval = [&](const std::string& before, const std::string& after) {
      return said(shell, posix ? before + "eval " + quoted(shell, code) + "; " + after : code + after);
    };
    EXPECT_EQ(in_eval("", "echo alive"), "sourced\nalive\n") << name_of(shell);
    if (!posix) continue;
    EXPECT_EQ(in_eval("set -e; ", "echo alive; false; echo lost"), "sourced\nalive\n") << name_of(shell);
    EXPECT_EQ(in_eval("set -e; ", "echo $?"), "sourced\n0\n") << name_of(shell);
  }
}

}  // namespace
}  // namespace flox::activation
