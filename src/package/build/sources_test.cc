#include "package/build/sources.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/os/file.h"
#include "base/os/process.h"

namespace flox::package {
namespace {

namespace fs = std::filesystem;

class SourcesTest : public testing::Test {
 protected:
  SourcesTest() {
    write_file(dir_.path() / "a.c", "int a;\n");
    fs::create_directories(dir_.path() / "sub");
    write_file(dir_.path() / "sub/b", "b\n");
  }
  Outcome shell(const std::string& command) const {
    return run({.argv = {"bash", "-ec", command},
                .env = {{"GIT_CONFIG_GLOBAL", "/dev/null"},
                        {"GIT_AUTHOR_NAME", "a"},
                        {"GIT_AUTHOR_EMAIL", "a@example.org"},
                        {"GIT_COMMITTER_NAME", "a"},
                        {"GIT_COMMITTER_EMAIL", "a@example.org"}},
                .cwd = dir_.path().string(),
                .input = {}});
  }
  bool has_git() const { return shell("git init -q . && git add . && git commit -qm one").exit_code == 0; }
  std::string hash() const { return look_at_sources(dir_.path()).digests.at("dirHash1"); }

  TempDir dir_;
};

TEST_F(SourcesTest, HashIsTheOneThatSha256sumGives) {
  const std::string expected =
      run_checked({.argv = {"bash", "-ec", "sha256sum a.c sub/b | sha256sum | cut -c1-64 | tr -d '\\n'"},
                   .cwd = dir_.path().string()});
  EXPECT_EQ(hash(), expected);
}

TEST_F(SourcesTest, HashDependsOnContentsAndNamesAndNotOnResultsOfBuilds) {
  const std::string before = hash();
  write_file(dir_.path() / "result-x.log", "built");
  fs::create_symlink("/nowhere", dir_.path() / "result-x");
  fs::create_directories(dir_.path() / ".flox/run");
  write_file(dir_.path() / ".flox/run/x", "x");
  EXPECT_EQ(hash(), before);
  write_file(dir_.path() / "a.c", "int b;\n");
  EXPECT_NE(hash(), before);
  write_file(dir_.path() / "a.c", "int a;\n");
  EXPECT_EQ(hash(), before);
  fs::create_symlink("a.c", dir_.path() / "link");
  EXPECT_NE(hash(), before);
}

TEST_F(SourcesTest, OfAGitWorkTreeNamesCommitOriginAndWhetherItDiffers) {
  if (!has_git()) GTEST_SKIP() << "needs git";
  shell("git remote add origin https://ann:secret@example.org/web.git");
  trust::BuildInput sources = look_at_sources(dir_.path());
  EXPECT_EQ(sources.digests.at("gitCommit").size(), 40u);
  EXPECT_EQ(sources.notes.at("dirty"), "false");
  EXPECT_EQ(sources.uri, "git+https://example.org/web.git");
  write_file(dir_.path() / "result-x.json", "{}");
  EXPECT_EQ(look_at_sources(dir_.path()).notes.at("dirty"), "false");
  write_file(dir_.path() / "a.c", "int b;\n");
  EXPECT_EQ(look_at_sources(dir_.path()).notes.at("dirty"), "true");
}

TEST_F(SourcesTest, WhatGitIgnoresDoesNotCount) {
  if (!has_git()) GTEST_SKIP() << "needs git";
  write_file(dir_.path() / ".gitignore", "*.o\n");
  const std::string before = hash();
  write_file(dir_.path() / "a.o", "object");
  EXPECT_EQ(hash(), before);
}

TEST_F(SourcesTest, ChangesNothingInTheRepository) {
  if (!has_git()) GTEST_SKIP() << "needs git";
  const std::string index = read_file(dir_.path() / ".git/index");
  shell("touch -d '+1 hour' a.c");  // git status would refresh the index
  look_at_sources(dir_.path());
  EXPECT_EQ(read_file(dir_.path() / ".git/index"), index);
}

TEST_F(SourcesTest, RunsNothingThatTheRepositoryNames) {
  if (!has_git()) GTEST_SKIP() << "needs git";
  const std::string mark = (dir_.path() / ".git/ran").string();
  for (const char* name : {"x", "a=b"}) {
    shell(fmt::format("git config 'filter.{}.clean' 'touch {}; cat'; git config 'filter.{}.required' true",
                      name, mark, name));
    shell(fmt::format("echo '* filter={}' >.git/info/attributes; touch -d '+1 hour' a.c", name));
    look_at_sources(dir_.path());
    EXPECT_FALSE(fs::exists(mark)) << name;
  }
}

}  // namespace
}  // namespace flox::package
