#include "package/build/out_paths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::package {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OutPathsTest : public ::testing::Test {
 protected:
  void put(const std::string& place, const std::string& content, bool executable = false) const {
    fs::create_directories((work_.path() / place).parent_path());
    write_file(work_.path() / place, content, executable ? 0755 : 0644);
  }
  std::string text(const std::string& place) const { return read_file(work_.path() / place); }
  void settle() {
    settle_out_paths(work_.path(), {.same_length = {{"/tmp/out", "/nix/own"}},
                                    .in_texts = {{"/p/.flox/run/x", "/nix/store/profile"}},
                                    .local = {"/p"},
                                    .note = [&](const std::string& line) { notes_.push_back(line); }});
  }
  std::string refusal() {
    try {
      settle();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  TempDir work_;
  std::vector<std::string> notes_;
};

TEST_F(OutPathsTest, become_store_paths_in_texts_programs_and_links) {
  put("text", "home = /p/.flox/run/x/bin, prefix=/tmp/out/lib -I/p/.flox/run/x/include");
  put("program", std::string("\0/tmp/out/share\0", 16));
  fs::create_symlink("/p/.flox/run/x/bin/python3", work_.path() / "python3");
  fs::create_symlink("/tmp/out/bin", work_.path() / "own");
  settle();
  EXPECT_EQ(text("text"), "home = /nix/store/profile/bin, prefix=/nix/own/lib -I/nix/store/profile/include");
  EXPECT_EQ(text("program"), std::string("\0/nix/own/share\0", 16));
  EXPECT_EQ(fs::read_symlink(work_.path() / "python3"), "/nix/store/profile/bin/python3");
  EXPECT_EQ(fs::read_symlink(work_.path() / "own"), "/nix/own/bin");
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(OutPathsTest, are_whole_paths) {
  put("tool", "#!/bin/sh\nexec /pop/x /app/p/y x/p /p.old\n", true);
  fs::create_symlink("/pp", work_.path() / "link");
  settle();
  EXPECT_EQ(text("tool"), "#!/bin/sh\nexec /pop/x /app/p/y x/p /p.old\n");
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(OutPathsTest, of_this_machine_are_refused_where_they_would_be_followed) {
  put("lib/a.pth", "/p/src\n");
  EXPECT_THAT(refusal(), HasSubstr("$out/lib/a.pth: it names /p/src, which only this machine has"));
  put("lib/a.pth", "");
  put("bin/tool", "#!/bin/sh\nexec node /p/main.js\n", true);
  EXPECT_THAT(refusal(), HasSubstr("$out/bin/tool: it names /p/main.js"));
  put("bin/tool", "#!/p/venv/bin/python3\n", true);
  EXPECT_THAT(refusal(), HasSubstr("$out/bin/tool: it names /p/venv/bin/python3"));
  put("bin/tool", "");
  put("data", std::string("\0/p/.flox/run/x/lib\0", 20));
  EXPECT_THAT(
      refusal(),
      HasSubstr("$out/data: it is no text, in which the path could be changed, and has /p/.flox/run/x/lib"));
  put("data", "");
  fs::create_symlink("/p/.flox/cache/venv/bin/python", work_.path() / "python");
  EXPECT_THAT(refusal(), HasSubstr("$out/python: it is a link to /p/.flox/cache/venv/bin/python"));
}

TEST_F(OutPathsTest, of_this_machine_are_told_of_where_they_may_do_no_harm) {
  put("program", std::string("\0/p/main.go\0", 12));
  put("share/log", "built in /p\n");
  settle();
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("program names /p/main.go"), HasSubstr("share/log names /p")));
}

TEST_F(OutPathsTest, of_interpreters_must_be_in_the_closure_or_in_every_pod) {
  const auto refused = [&](const std::string& content) -> std::string {
    put("bin/x", content, true);
    try {
      require_shebangs_inside(work_.path(), {"/nix/store/a-bash"});
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::untrusted);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refused("#!/nix/store/a-bash/bin/bash\n"), "");
  EXPECT_EQ(refused("#! /bin/sh -e\n"), "");
  EXPECT_EQ(refused("#!/usr/bin/env python3"), "");
  EXPECT_EQ(refused("no script"), "");
  EXPECT_THAT(refused("#! /usr/bin/perl -w\n"),
              HasSubstr("bin/x is run by /usr/bin/perl, which is not in its closure"));
  EXPECT_THAT(refused("#!/nix/store/a-bashful/bin/x\n"), HasSubstr("/nix/store/a-bashful/bin/x"));
  put("bin/x", "#!/usr/bin/perl\n");  // nobody runs it
  EXPECT_NO_THROW(require_shebangs_inside(work_.path(), {}));
}

TEST_F(OutPathsTest, tell_where_a_text_is) {
  put("b", "one needle");
  fs::create_symlink("needle", work_.path() / "a");
  EXPECT_EQ(place_with(work_.path(), "needle"), "a");
  EXPECT_EQ(place_with(work_.path(), "hay"), "");
}

}  // namespace
}  // namespace flox::package
