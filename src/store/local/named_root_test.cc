#include "store/local/named_root.h"

#include <gtest/gtest.h>
#include <sys/inotify.h>

#include <array>
#include <cstring>
#include <set>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"

namespace flox::store {
namespace {

TEST(NamedRoot, takes_the_place_of_the_one_before_and_leaves_nothing_else) {
  const TempDir dir;
  const LocalStore store(dir.path());
  const auto first = nix::StorePath::parse("/nix/store/00000000000000000000000000000000-a"),
             second = nix::StorePath::parse("/nix/store/11111111111111111111111111111111-b");
  const fs::path link = store.state_directory() / "gcroots/flox-imports/git";
  set_named_root(store, "flox-imports/git", first);
  EXPECT_EQ(fs::read_symlink(link), first.to_string());
  set_named_root(store, "flox-imports/git", second);
  EXPECT_EQ(fs::read_symlink(link), second.to_string());
  for (const auto& entry : fs::recursive_directory_iterator(store.state_directory()))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".root-")) << entry.path();
}

// The names of what was made in the directory since it is watched.
std::set<std::string> made_in(const Fd& watch) {
  std::array<char, 4096> buffer{};
  std::set<std::string> names;
  for (ssize_t got = 0; (got = ::read(watch.get(), buffer.data(), buffer.size())) > 0;)
    for (ssize_t at = 0; at < got;) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      names.insert(buffer.data() + at + sizeof event);
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  return names;
}

TEST(NamedRoot, that_was_left_by_one_that_was_killed_goes_with_the_next_of_its_name) {
  const TempDir dir;
  const LocalStore store(dir.path());
  const auto path = nix::StorePath::parse("/nix/store/00000000000000000000000000000000-a");
  set_named_root(store, "flox-imports/git", path);  // its directory is there
  const Fd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  ASSERT_GE(::inotify_add_watch(watch.get(), store.state_directory().c_str(), IN_CREATE), 0);
  set_named_root(store, "flox-imports/git", path);
  const std::set<std::string> made = made_in(watch);
  ASSERT_EQ(made.size(), 1);
  const fs::path left = store.state_directory() / *made.begin();
  EXPECT_FALSE(fs::is_symlink(left));
  fs::create_symlink("left", left);
  set_named_root(store, "flox-imports/git", path);
  EXPECT_FALSE(fs::is_symlink(left));
}

TEST(NamedRoot, is_read_and_removed) {
  const TempDir dir;
  const LocalStore store(dir.path());
  const auto path = nix::StorePath::parse("/nix/store/00000000000000000000000000000000-a");
  EXPECT_EQ(named_root(store, "flox-node"), std::nullopt);
  set_named_root(store, "flox-node", path);
  EXPECT_EQ(named_root(store, "flox-node"), path);
  remove_named_root(store, "flox-node");
  EXPECT_EQ(named_root(store, "flox-node"), std::nullopt);
  remove_named_root(store, "flox-node");
  fs::create_symlink("/etc", store.state_directory() / "gcroots/flox-node");
  EXPECT_THROW(named_root(store, "flox-node"), Error);
}

TEST(NamedRoot, does_not_replace_a_directory_nor_leave_the_roots) {
  const TempDir dir;
  const LocalStore store(dir.path());
  const auto path = nix::StorePath::parse("/nix/store/00000000000000000000000000000000-a");
  fs::create_directories(store.state_directory() / "gcroots/taken/inside");
  EXPECT_THROW(set_named_root(store, "taken", path), Error);
  EXPECT_THROW(set_named_root(store, "../outside", path), Error);
  EXPECT_TRUE(fs::is_directory(store.state_directory() / "gcroots/taken"));
  for (const auto& entry : fs::directory_iterator(store.state_directory()))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".root-")) << entry.path();
}

}  // namespace
}  // namespace flox::store
