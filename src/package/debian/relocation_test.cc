// Trees find their libraries, interpreters and link targets in the store.
#include "package/debian/relocation.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "package/elf.h"

namespace flox::package {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A world of one other store path, which has sh, libz.so.1 and a loader.
class FakeSurroundings : public Surroundings {
 public:
  explicit FakeSurroundings(nix::StorePath path) : path_(std::move(path)) {}
  std::optional<Provider> library(const std::string& soname, const std::vector<std::string>&) override {
    if (soname == "libabsent.so.1") return std::nullopt;
    return Provider{path_, "lib/deep"};
  }
  std::optional<Provider> file(const std::string& place) override {
    if (place == "bin/sh" || place == "share/there") return Provider{path_, place};
    return std::nullopt;
  }
  std::optional<Provider> program(const std::string& name) override {
    return name == "awk" ? std::optional(Provider{path_, "bin/awk"}) : std::nullopt;
  }
  void missing(const std::string& soname, const std::string& by) override {
    fail(ErrorKind::not_found, "{} needs {}", by, soname);
  }
  void note(const std::string& line) override { notes.push_back(line); }

  std::vector<std::string> notes;

 private:
  nix::StorePath path_;
};

class RelocationTest : public ::testing::Test {
 protected:
  RelocationTest() : other_(add_other()), surroundings_(other_) { fs::create_directories(tree_ / "bin"); }

  nix::StorePath add_other() {
    fs::create_directories(work_.path() / "other");
    write_file(work_.path() / "other/x", "x");
    return store_.add_tree(work_.path() / "other", "other", {}).path;
  }
  void put(const std::string& place, const std::string& content, unsigned mode = 0755) {
    fs::create_directories((tree_ / place).parent_path());
    write_file(tree_ / place, content, mode);
  }
  void link(const std::string& place, const std::string& target) {
    fs::create_directories((tree_ / place).parent_path());
    fs::create_symlink(target, tree_ / place);
  }
  void compile(const std::string& place, const std::string& source, std::vector<std::string> arguments) {
    fs::create_directories((tree_ / place).parent_path());
    write_file(work_.path() / "source.c", source);
    std::vector<std::string> argv{"gcc", "-o", (tree_ / place).string(),
                                  (work_.path() / "source.c").string()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    run_checked({.argv = argv});
  }
  nix::PathInfo relocated() {
    auto info = relocate(store_,
                         {.directory = tree_,
                          .name = "t",
                          .placeholder = placeholder_digest("t"),
                          .origins = {"/usr", "/", "/tmp/out"}},
                         surroundings_);
    result_ = store_.real_path(info.path);
    return info;
  }
  std::string first_line(const std::string& place) {
    std::string text = read_file(result_ / place);
    return text.substr(0, text.find('\n'));
  }

  TempDir work_;
  store::LocalStore store_{work_.path() / "root"};
  nix::StorePath other_;
  FakeSurroundings surroundings_;
  fs::path tree_ = work_.path() / "tree";
  fs::path result_;
};

TEST_F(RelocationTest, LinksIntoTheTreeBecomeRelativeAndOthersLeadToTheStore) {
  put("share/x/data", "data", 0644);
  link("etc/inside", "/usr/share/x/data");
  link("etc/directory", "/usr/share/x/");
  link("etc/outside", "/usr/share/there");
  link("bin/relative", "../share/there");
  link("bin/fine", "../share/x/data");
  link("etc/built", "/tmp/out/share/x/data");
  auto info = relocated();
  EXPECT_EQ(fs::read_symlink(result_ / "etc/inside"), "../share/x/data");
  EXPECT_EQ(fs::read_symlink(result_ / "etc/directory"), "../share/x");
  EXPECT_EQ(fs::read_symlink(result_ / "etc/outside"), other_.to_string() + "/share/there");
  EXPECT_EQ(fs::read_symlink(result_ / "bin/relative"), other_.to_string() + "/share/there");
  EXPECT_EQ(fs::read_symlink(result_ / "bin/fine"), "../share/x/data");
  EXPECT_EQ(fs::read_symlink(result_ / "etc/built"), "../share/x/data");
  EXPECT_THAT(info.references, ElementsAre(other_));
  EXPECT_THAT(surroundings_.notes, IsEmpty());
}

TEST_F(RelocationTest, WhatLinksLeadToOutsideIsNotTouched) {
  const fs::path outside = work_.path() / "outside";
  fs::create_directories(outside / "ssl");
  const std::string script = "#!/bin/sh\ntrue\n";
  for (const char* file : {"run", "ssl/run"}) write_file(outside / file, script, 0755);
  fs::create_symlink("/usr/share/there", outside / "link");
  fs::remove(tree_ / "bin");
  for (const char* place : {"bin", "etc", "lib/ssl", "share/run"}) {
    fs::create_directories((tree_ / place).parent_path());
    fs::create_symlink(std::string_view(place) == "share/run" ? outside / "run" : outside, tree_ / place);
  }
  put("own", script);
  relocated();
  for (const char* file : {"run", "ssl/run"}) EXPECT_EQ(read_file(outside / file), script);
  EXPECT_EQ(fs::read_symlink(outside / "link"), "/usr/share/there");
  EXPECT_EQ(std::distance(fs::recursive_directory_iterator(outside), {}), 4);
  EXPECT_TRUE(fs::is_symlink(result_ / "etc"));
  EXPECT_EQ(first_line("own"), "#!" + other_.to_string() + "/bin/sh");
}

TEST_F(RelocationTest, AProgramThatIsAFileOfOthersTooIsNotPatched) {
  compile("bin/x", "int main(void) { return 0; }", {});
  const fs::path outside = work_.path() / "program";
  fs::create_hard_link(tree_ / "bin/x", outside);
  const std::string before = read_file(outside);
  EXPECT_THROW(relocated(), Error);
  EXPECT_EQ(read_file(outside), before);
}

TEST_F(RelocationTest, ALinkToNowhereIsLeftAndTold) {
  link("bin/editor", "/etc/alternatives/editor");
  link("etc/null", "/dev/null");
  relocated();
  EXPECT_EQ(fs::read_symlink(result_ / "bin/editor"), "/etc/alternatives/editor");
  EXPECT_EQ(fs::read_symlink(result_ / "etc/null"), "/dev/null");
  EXPECT_THAT(surroundings_.notes, ElementsAre(HasSubstr("/etc/alternatives/editor")));
}

TEST_F(RelocationTest, ShebangsLeadToTheStoreOrToTheTreeItself) {
  put("bin/tool", "#!/bin/sh -e\nbody\n");
  put("bin/own", "#!/usr/bin/tool --flag\n");
  put("bin/by-env", "#! /usr/bin/env awk -f\n");
  put("bin/own-by-env", "#!/usr/bin/env tool\n");
  put("bin/unknown-by-env", "#!/usr/bin/env nothing\n");
  put("bin/with-options", "#!/usr/bin/env -S tool x\n");
  put("share/module.py", "#!/bin/sh\n", 0644);  // not executable: nobody will interpret it by this line
  auto info = relocated();
  std::string own = info.path.to_string();
  EXPECT_EQ(read_file(result_ / "bin/tool"), "#!" + other_.to_string() + "/bin/sh -e\nbody\n");
  EXPECT_EQ(first_line("bin/own"), "#!" + own + "/bin/tool --flag");
  EXPECT_EQ(first_line("bin/by-env"), "#!" + other_.to_string() + "/bin/awk -f");
  EXPECT_EQ(first_line("bin/own-by-env"), "#!" + own + "/bin/tool");
  EXPECT_EQ(first_line("bin/unknown-by-env"), "#!/usr/bin/env nothing");
  EXPECT_EQ(first_line("bin/with-options"), "#!/usr/bin/env -S tool x");
  EXPECT_EQ(first_line("share/module.py"), "#!/bin/sh");
  EXPECT_THAT(info.references, ElementsAre(std::min(info.path, other_), std::max(info.path, other_)));
}

TEST_F(RelocationTest, ProgramsFindTheirLoaderAndLibraries) {
  compile("lib/libown.so.1", "int own(void) { return 1; }", {"-shared", "-fPIC", "-Wl,-soname,libown.so.1"});
  compile("bin/program", "int own(void); int main(void) { return own(); }",
          {(tree_ / "lib/libown.so.1").string(), "-Wl,-rpath,/home/me/build/lib"});
  relocated();
  auto program = read_elf(result_ / "bin/program");
  ASSERT_TRUE(program);
  std::string deep = other_.to_string() + "/lib/deep";
  EXPECT_THAT(program->interpreter, ::testing::StartsWith(deep + "/ld-linux"));
  EXPECT_THAT(program->search_path, ElementsAre("$ORIGIN/../lib", deep)) << "and the build directory is gone";
}

TEST_F(RelocationTest, PlugInDirectoriesOfTheTreeStayInTheSearchPath) {
  put("lib/plugins/readme", "here", 0644);
  compile("bin/program", "int main(void) { return 0; }",
          {"-Wl,-rpath,$ORIGIN/../lib/plugins:/tmp/out/lib/plugins:/tmp/out/none"});
  relocated();
  EXPECT_THAT(read_elf(result_ / "bin/program")->search_path,
              ElementsAre("$ORIGIN/../lib/plugins", other_.to_string() + "/lib/deep"));
}

TEST_F(RelocationTest, LibrariesThatAreLoadedLaterAreFoundThen) {
  compile("lib/liblater.so.1", "int later(void) { return 1; }",
          {"-shared", "-fPIC", "-Wl,-soname,liblater.so.1"});
  compile("bin/program",
          "__attribute__((used, section(\".note.dlopen\"), aligned(4))) static const struct {\n"
          "  unsigned name_size, size, type; char name[4], text[32];\n"
          "} note = {4, 32, 0x407c0c0a, \"FDO\", \"[{\\\"soname\\\":[\\\"liblater.so.1\\\"]}]\"};\n"
          "int main(void) { return 0; }",
          {});
  relocated();
  const auto program = read_elf(result_ / "bin/program");
  EXPECT_THAT(program->needed_later, ElementsAre("liblater.so.1"));
  EXPECT_THAT(program->search_path, ::testing::Contains("$ORIGIN/../lib"));
}

TEST_F(RelocationTest, CodeThatEndsThreadsEarlyBringsTheUnwinder) {
  compile("bin/program", "#include <pthread.h>\nint main(void) { pthread_exit(0); }", {"-pthread"});
  relocated();
  EXPECT_THAT(read_elf(result_ / "bin/program")->needed, ::testing::Contains("libgcc_s.so.1"));
}

TEST_F(RelocationTest, AMissingLibraryNamesTheProgramThatNeedsIt) {
  compile("lib/libabsent.so.1", "int absent(void) { return 1; }",
          {"-shared", "-fPIC", "-Wl,-soname,libabsent.so.1"});
  compile("bin/program", "int absent(void); int main(void) { return absent(); }",
          {(tree_ / "lib/libabsent.so.1").string()});
  fs::remove(tree_ / "lib/libabsent.so.1");
  try {
    relocated();
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("bin/program needs libabsent.so.1"));
  }
}

TEST_F(RelocationTest, TheSameTreeGivesTheSameStorePath) {
  put("bin/tool", "#!/usr/bin/tool\n");
  fs::copy(tree_, work_.path() / "copy", fs::copy_options::recursive);
  auto first = relocated();
  tree_ = work_.path() / "copy";
  EXPECT_EQ(relocated().path, first.path);
}

}  // namespace
}  // namespace flox::package
