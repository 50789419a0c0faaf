#include "node/installer/change_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::node {
namespace {

using testing::HasSubstr;
using testing::Not;

class ChangeSetTest : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return dir_.path() / name; }
  ChangeRecord record() const { return ChangeRecord(path("state/record")); }
  static std::string no_edits(std::string_view text) { return std::string(text); }
  // Every file below the directory, with its mode and content.
  std::map<std::string, FileState> everything() const {
    std::map<std::string, FileState> files;
    for (const auto& entry : fs::recursive_directory_iterator(dir_.path()))
      files[entry.path()] = entry.is_directory() ? FileState{} : *file_state(entry.path());
    return files;
  }
  TempDir dir_{"flox-change-set-"};
};

TEST_F(ChangeSetTest, is_made_and_taken_back_byte_for_byte) {
  write_file(path("config"), "old\n", 0640);
  const auto before = everything();
  ChangeSet set;
  set.write(path("config"), "new\n");
  set.write(path("a/b/program"), std::string("\0x", 2), 0755);
  EXPECT_THAT(set.diff(), HasSubstr("-old\n+new\n"));
  EXPECT_THAT(set.diff(), HasSubstr("program  (2 bytes, mode 0755)"));
  record().apply(set);
  EXPECT_EQ(read_file(path("config")), "new\n");
  EXPECT_EQ(file_state(path("config"))->mode, 0640U);
  EXPECT_EQ(file_state(path("a/b/program"))->mode, 0755U);
  record().revert(no_edits, false);
  EXPECT_EQ(everything(), before);
}

TEST_F(ChangeSetTest, says_of_pages_how_many_they_are_also_when_they_are_taken_back) {
  const auto before = everything();
  ChangeSet set;
  set.write(path("config"), "new\n");
  for (const char* page : {"a.1", "b.1"}) set.write_counted(path("man") / page, "text\n");
  EXPECT_THAT(set.diff(), HasSubstr(fmt::format("+++ {}/  (2 files)\n", path("man").string())));
  EXPECT_THAT(set.diff(), Not(HasSubstr("text")));
  EXPECT_THAT(set.names(),
              testing::ElementsAre(path("config").string(), path("man").string() + "/ (2 files)"));
  record().apply(set);
  EXPECT_EQ(read_file(path("man/b.1")), "text\n");
  const std::string undone = record().reversion(no_edits, false).diff();
  EXPECT_THAT(undone, HasSubstr(fmt::format("--- {}/  (2 files)\n", path("man").string())));
  EXPECT_THAT(undone, Not(HasSubstr("text")));
  record().revert(no_edits, false);
  EXPECT_EQ(everything(), before);
}

TEST_F(ChangeSetTest, keeps_the_first_original_over_several_sets) {
  write_file(path("config"), "one");
  const auto before = everything();
  for (const char* text : {"two", "three"}) {
    ChangeSet set;
    set.write(path("config"), text);
    record().apply(set);
  }
  record().revert(no_edits, false);
  EXPECT_EQ(everything(), before);
}

TEST_F(ChangeSetTest, has_nothing_to_do_for_a_file_that_is_so_already) {
  write_file(path("config"), "same");
  ChangeSet set;
  set.write(path("config"), "same");
  EXPECT_TRUE(set.empty());
  set.write(path("config"), "same", 0600);
  EXPECT_FALSE(set.empty());
}

TEST_F(ChangeSetTest, takes_only_our_edits_out_of_a_file_that_others_have_changed) {
  ChangeSet set;
  write_file(path("config"), "mine\n");
  set.write(path("config"), "mine\nours\n");
  record().apply(set);
  write_file(path("config"), "mine\nours\nlater\n");
  EXPECT_THROW(record().revert(no_edits, false), Error);
  EXPECT_EQ(read_file(path("config")), "mine\nours\nlater\n");
  record().revert([](std::string_view) { return std::string("mine\nlater\n"); }, false);
  EXPECT_EQ(read_file(path("config")), "mine\nlater\n");
  EXPECT_TRUE(record().empty());
}

TEST_F(ChangeSetTest, is_taken_back_whole_if_a_part_of_it_fails) {
  write_file(path("config"), "old");
  write_file(path("file"), "");
  ChangeSet set;
  set.write(path("config"), "new");
  set.add({.path = path("file/below"), .before = {}, .after = FileState{}});
  EXPECT_THROW(record().apply(set), std::exception);
  EXPECT_EQ(read_file(path("config")), "old");
  record().revert(no_edits, false);
  EXPECT_EQ(read_file(path("config")), "old");
}

TEST_F(ChangeSetTest, changes_what_a_link_leads_to) {
  write_file(path("real"), "old");
  fs::create_symlink("real", path("link"));
  ChangeSet set;
  set.write(path("link"), "new");
  record().apply(set);
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(read_file(path("real")), "new");
}

}  // namespace
}  // namespace flox::node
