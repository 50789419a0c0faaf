#include "node/installer/change_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <memory>

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
  void apply(const ChangeSet& set) const {
    ChangeRecord changed = record();
    changed.apply(set);
    changed.finish();
  }
  void revert(const UndoEdits& undo_edits, bool force) const {
    ChangeRecord reverted = record();
    reverted.revert(undo_edits, force);
    reverted.forget();
  }
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
  apply(set);
  EXPECT_EQ(read_file(path("config")), "new\n");
  EXPECT_EQ(file_state(path("config"))->mode, 0640U);
  EXPECT_EQ(file_state(path("a/b/program"))->mode, 0755U);
  revert(no_edits, false);
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
  apply(set);
  EXPECT_EQ(read_file(path("man/b.1")), "text\n");
  const std::string undone = record().reversion(no_edits, false).diff();
  EXPECT_THAT(undone, HasSubstr(fmt::format("--- {}/  (2 files)\n", path("man").string())));
  EXPECT_THAT(undone, Not(HasSubstr("text")));
  revert(no_edits, false);
  EXPECT_EQ(everything(), before);
}

TEST_F(ChangeSetTest, keeps_the_first_original_over_several_sets) {
  write_file(path("config"), "one");
  const auto before = everything();
  for (const char* text : {"two", "three"}) {
    ChangeSet set;
    set.write(path("config"), text);
    apply(set);
  }
  revert(no_edits, false);
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
  apply(set);
  write_file(path("config"), "mine\nours\nlater\n");
  EXPECT_THROW(revert(no_edits, false), Error);
  EXPECT_EQ(read_file(path("config")), "mine\nours\nlater\n");
  revert([](std::string_view) { return std::string("mine\nlater\n"); }, false);
  EXPECT_EQ(read_file(path("config")), "mine\nlater\n");
  EXPECT_TRUE(record().empty());
}

TEST_F(ChangeSetTest, is_taken_back_whole_if_a_part_of_it_fails) {
  write_file(path("config"), "old");
  write_file(path("file"), "");
  ChangeSet set;
  set.write(path("config"), "new");
  set.add({.path = path("file/below"), .before = {}, .after = FileState{}});
  const auto before = everything();
  EXPECT_THROW(apply(set), std::exception);
  EXPECT_EQ(everything(), before);
}

TEST_F(ChangeSetTest, is_not_made_at_all_if_a_file_of_it_cannot_be_written_whole) {
  write_file(path("config"), "old");
  const auto before = everything();
  ChangeSet set;
  set.write(path("a/config"), "new");
  set.write(path("config"), "new");
  set.write(path("program"), std::string(1 << 20, 'x'));
  struct rlimit limit {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  struct rlimit small = limit;
  small.rlim_cur = 1 << 16;
  std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THROW(apply(set), Error);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_EQ(everything(), before);
}

TEST_F(ChangeSetTest, that_was_ended_in_the_middle_is_gone_on_with_or_taken_back) {
  for (const bool is_gone_on_with : {false, true}) {
    write_file(path("config"), "old");
    write_file(path("other"), "old");
    const auto before = everything();
    ChangeSet first;
    first.write(path("config"), "one");
    first.write(path("other"), "one");
    apply(first);
    ChangeSet second;
    second.write(path("config"), "two");
    second.write(path("other"), "two");
    ChangeRecord killed = record();
    killed.apply(second);              // and no finish()
    write_file(path("other"), "one");  // as if it had not come to this one
    EXPECT_TRUE(record().is_unfinished());
    if (is_gone_on_with) {
      ChangeSet rest;
      rest.write(path("other"), "two");
      apply(rest);
      EXPECT_FALSE(record().is_unfinished());
    }
    revert(no_edits, false);  // neither of them is somebody else's change
    EXPECT_EQ(everything(), before);
  }
}

TEST_F(ChangeSetTest, whose_taking_back_was_ended_before_the_record_went_is_taken_back_again) {
  write_file(path("config"), "old");
  const auto before = everything();
  ChangeSet set;
  set.write(path("config"), "new");
  set.write(path("a/b/program"), "new");
  apply(set);
  record().revert(no_edits, false);  // and no forget()
  EXPECT_FALSE(record().empty());
  revert(no_edits, false);
  EXPECT_EQ(everything(), before);
}

TEST_F(ChangeSetTest, that_was_ended_before_its_record_was_there_leaves_nothing_for_good) {
  write_file(path("config"), "old");
  const auto before = everything();
  for (const bool is_installed_again : {false, true}) {
    fs::create_directories(path("state/record/originals"));
    write_file(path("state/record/originals/.0a.new"), "old");
    EXPECT_FALSE(record().empty());
    ChangeSet set;
    set.write(path("config"), "new");
    if (is_installed_again) apply(set);
    revert(no_edits, false);
    EXPECT_EQ(everything(), before);
  }
}

TEST_F(ChangeSetTest, is_made_by_one_at_a_time) {
  auto first = std::make_unique<ChangeLock>(dir_.path(), [] { FAIL() << "nobody has it"; });
  bool waits = false;
  const ChangeLock second(dir_.path(), [&] {
    waits = true;
    first.reset();
  });
  EXPECT_TRUE(waits);
}

TEST_F(ChangeSetTest, changes_what_a_link_leads_to) {
  write_file(path("real"), "old");
  fs::create_symlink("real", path("link"));
  ChangeSet set;
  set.write(path("link"), "new");
  apply(set);
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(read_file(path("real")), "new");
}

}  // namespace
}  // namespace flox::node
