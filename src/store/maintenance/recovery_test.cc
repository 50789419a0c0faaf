// What becomes of paths that were valid before they were on the disk when the machine stopped.
#include "store/maintenance/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"
#include "store/cache/binary_cache.h"
#include "store/cache/upload.h"
#include "store/realise/realise.h"

namespace flox::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A store with `app`, which refers to `lib`, that a cache has too; and `leaf`, which no cache has.
class RecoveryTest : public testing::Test {
 protected:
  RecoveryTest() {
    LocalStore store(root_);
    lib_ = add(store, "lib", "a library", {});
    app_ = add(store, "app", "needs " + lib_->to_string(), {*lib_});
    upload_closure(store, *BinaryCache::open(cache_), store.closure({*app_}),
                   nix::SecretKey::generate("test-1"));
    leaf_ = add(store, "leaf", "made here, with " + lib_->to_string(), {*lib_});
  }

  StorePath add(LocalStore& store, const std::string& name, const std::string& text,
                const StorePathSet& references) const {
    fs::create_directories(temp_.path() / name);
    write_file(temp_.path() / name / "text", text);
    return store.add_tree(temp_.path() / name, name, references).path;
  }
  // As after a stop of the machine before the path was on the disk: its file is there and empty.
  void damage(const StorePath& path) const {
    const fs::path file = root_ / "nix/store" / path.base_name() / "text";
    fs::permissions(file.parent_path(), fs::perms::owner_all);
    write_file(file, "");
    fs::permissions(file.parent_path(), fs::perms(0555));
  }
  // As if the machine had been started again since the mark was made.
  void start_again() const {
    const std::string text = read_file(mark_);
    write_file(mark_, "an-earlier-boot" + text.substr(text.find(' ')));
  }
  std::string text_of(const StorePath& path) const {
    return read_file(root_ / "nix/store" / path.base_name() / "text");
  }

  TempDir temp_;
  fs::path root_ = temp_.path() / "root";
  fs::path mark_ = root_ / "nix/var/nix/flox/synced";
  std::string cache_ = "file://" + (temp_.path() / "cache").string();
  std::optional<StorePath> lib_, app_, leaf_;
};

TEST_F(RecoveryTest, nothing_is_in_doubt_while_the_machine_runs) {
  const LocalStore store(root_);
  EXPECT_THAT(store.unsynced_paths(), IsEmpty());
}

TEST_F(RecoveryTest, what_was_not_synced_before_a_stop_is_in_doubt) {
  start_again();
  const LocalStore store(root_);
  EXPECT_THAT(store.unsynced_paths(), testing::UnorderedElementsAre(*lib_, *app_, *leaf_));
}

TEST_F(RecoveryTest, what_was_synced_is_not_in_doubt) {
  LocalStore store(root_);
  store.sync();
  const StorePath later = add(store, "later", "added after the sync", {});
  start_again();
  EXPECT_THAT(store.unsynced_paths(), ElementsAre(later));
}

TEST_F(RecoveryTest, a_sync_is_not_repeated_when_nothing_is_new) {
  LocalStore store(root_);
  store.sync();
  const auto made = fs::last_write_time(mark_);
  store.sync();
  EXPECT_EQ(fs::last_write_time(mark_), made);
}

TEST_F(RecoveryTest, a_sync_can_wait_until_nothing_was_added_for_a_while) {
  LocalStore store(root_);
  const std::string before = read_file(mark_);
  store.sync(std::chrono::hours(1));
  EXPECT_EQ(read_file(mark_), before);
  store.sync();
  EXPECT_NE(read_file(mark_), before);
}

TEST_F(RecoveryTest, a_sync_does_not_mark_synced) {
  start_again();
  LocalStore store(root_);
  store.sync();
  EXPECT_EQ(store.unsynced_paths().size(), 3U);
}

TEST_F(RecoveryTest, a_mark_that_cannot_be_read_vouches_for_nothing) {
  LocalStore store(root_);
  store.sync();
  write_file(mark_, "garbage");
  EXPECT_EQ(store.unsynced_paths().size(), 3U);
}

TEST_F(RecoveryTest, a_damaged_path_is_fetched_again) {
  damage(*lib_);
  start_again();
  LocalStore store(root_);
  recover(store, {cache_});
  EXPECT_EQ(text_of(*lib_), "a library");
  EXPECT_THAT(store.unsynced_paths(), IsEmpty());
}

TEST_F(RecoveryTest, realising_mends_what_it_needs) {
  damage(*app_);
  start_again();
  LocalStore store(root_);
  realise(store, {*app_}, {.caches = {cache_}});
  EXPECT_EQ(text_of(*app_), "needs " + lib_->to_string());
}

TEST_F(RecoveryTest, a_damaged_path_that_can_only_be_made_again_becomes_invalid) {
  damage(*leaf_);
  start_again();
  LocalStore store(root_);
  recover(store, {cache_});
  EXPECT_FALSE(store.is_valid(*leaf_));
  EXPECT_TRUE(store.is_valid(*lib_));
  EXPECT_EQ(add(store, "leaf", "made here, with " + lib_->to_string(), {*lib_}), *leaf_);
  EXPECT_EQ(text_of(*leaf_), "made here, with " + lib_->to_string());
}

TEST_F(RecoveryTest, a_damaged_path_that_others_need_is_an_error_until_a_cache_has_it) {
  damage(*lib_);
  start_again();
  LocalStore store(root_);
  recover(store, {});
  EXPECT_TRUE(store.is_valid(*lib_));
  EXPECT_THAT(damaged_paths(store), ElementsAre(*lib_));
  try {
    realise(store, {*app_}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.what(), HasSubstr(lib_->to_string() + " is damaged since the machine stopped"));
  }
  realise(store, {*app_}, {.caches = {cache_}});
  EXPECT_EQ(text_of(*lib_), "a library");
  EXPECT_THAT(damaged_paths(store), IsEmpty());
  realise(store, {*app_}, {});
}

}  // namespace
}  // namespace flox::store
