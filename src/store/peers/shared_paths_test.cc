#include "store/peers/shared_paths.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <functional>
#include <set>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::store {
namespace {

nix::PathInfo info(char letter) {
  nix::PathInfo result{.path = nix::StorePath::from_base_name(std::string(32, letter) + "-a")};
  result.nar_hash = sha256(std::string(1, letter));
  result.nar_size = 7;
  return result;
}

bool all_there(std::string_view /*digest*/) { return true; }

TEST(SharedPaths, tells_what_is_under_way_until_it_ends) {
  const TempDir directory;
  SharedPaths shared(directory.path() / "private", all_there);
  const std::string name = peer_name(info('a'));
  EXPECT_EQ(shared.state(name), PeerHas::nothing);
  {
    SharedPaths::Realisation one(shared, false);
    one.plan(info('a'));
    EXPECT_EQ(shared.state(name), PeerHas::planned);
    one.fetching(info('a'));
    EXPECT_EQ(shared.state(name), PeerHas::fetching);
    EXPECT_FALSE(shared.staged(name));
    const uint64_t before = shared.progress();
    {
      SharedPaths::Realisation other(shared, false);
      other.plan(info('a'));
      one.present(info('a'), "/tree");
    }
    EXPECT_GT(shared.progress(), before);
    EXPECT_EQ(shared.state(name), PeerHas::present) << "another realisation of it has ended, not this one";
    ASSERT_TRUE(shared.staged(name));
    EXPECT_EQ(shared.staged(name)->tree, "/tree");
    EXPECT_EQ(shared.staged(name)->nar_size, 7U);
  }
  EXPECT_EQ(shared.state(name), PeerHas::nothing);
}

TEST(SharedPaths, is_undecided_until_a_realisation_that_somebody_waits_for_knows_what_it_needs) {
  const TempDir directory;
  SharedPaths shared(directory.path() / "private", all_there);
  const std::string name = peer_name(info('a'));
  {
    SharedPaths::Realisation prefetch(shared, false, true);
    EXPECT_EQ(shared.state(name), PeerHas::nothing);
    SharedPaths::Realisation pod(shared, false);
    EXPECT_EQ(shared.state(name), PeerHas::undecided);
    pod.planned();
    EXPECT_EQ(shared.state(name), PeerHas::nothing);
    SharedPaths::Realisation broken_off(shared, false);
  }
  EXPECT_EQ(shared.state(name), PeerHas::nothing);
}

TEST(SharedPaths, what_was_planned_and_is_in_the_store_has_no_tree) {
  const TempDir directory;
  SharedPaths shared(directory.path() / "private", all_there);
  SharedPaths::Realisation one(shared, false);
  one.plan(info('a'));
  one.present(info('a'), {});
  EXPECT_EQ(shared.state(peer_name(info('a'))), PeerHas::present);
  EXPECT_FALSE(shared.staged(peer_name(info('a'))));
}

TEST(SharedPaths, remembers_what_came_with_a_token_of_somebodys_own) {
  const TempDir directory;
  const auto file = directory.path() / "private";
  {
    SharedPaths shared(file, all_there);
    SharedPaths::Realisation open(shared, false);
    open.plan(info('a'));
    open.planned();
    EXPECT_FALSE(fs::exists(file));
    SharedPaths::Realisation own(shared, true);
    own.plan(info('b'));
    own.planned();
    EXPECT_TRUE(shared.is_private(info('b').path.digest()));
  }
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  write_file(file, read_file(file) + std::string(10, 'c'));  // a write that was cut off
  {
    SharedPaths shared(file, all_there);
    SharedPaths::Realisation own(shared, true);
    own.plan(info('d'));
    own.planned();
  }
  const SharedPaths again(file, all_there);
  EXPECT_FALSE(again.is_private(info('a').path.digest()));
  EXPECT_TRUE(again.is_private(info('b').path.digest()));
  EXPECT_TRUE(again.is_private(info('d').path.digest()));
  EXPECT_NE(SharedPaths(file, all_there).node(), again.node());
}

TEST(SharedPaths, says_what_nobody_is_in_a_hurry_for) {
  const TempDir directory;
  SharedPaths shared(directory.path() / "private", all_there);
  const std::string name = peer_name(info('a'));
  SharedPaths::Realisation prefetch(shared, false, true);
  prefetch.plan(info('a'));
  EXPECT_EQ(shared.state(name), PeerHas::planned_slowly);
  prefetch.fetching(info('a'));
  EXPECT_EQ(shared.state(name), PeerHas::fetching_slowly);
  {
    SharedPaths::Realisation pod(shared, false);
    pod.plan(info('a'));
    EXPECT_EQ(shared.state(name), PeerHas::fetching) << "a pod waits for it now";
  }
  EXPECT_EQ(shared.state(name), PeerHas::fetching_slowly);
  prefetch.present(info('a'), "/tree");
  EXPECT_EQ(shared.state(name), PeerHas::present);
}

TEST(SharedPaths, forgets_that_a_path_was_private_when_it_has_left_the_store) {
  const TempDir directory;
  const auto file = directory.path() / "private";
  std::set<std::string, std::less<>> store;
  const auto is_there = [&](std::string_view digest) { return store.contains(digest); };
  const auto fetch = [&](SharedPaths& shared, char letter) {
    SharedPaths::Realisation own(shared, true);
    own.plan(info(letter));
    own.planned();
    store.emplace(info(letter).path.digest());
  };
  SharedPaths shared(file, is_there, 2);
  fetch(shared, 'a');
  fetch(shared, 'b');
  try {
    fetch(shared, 'c');
    ADD_FAILURE() << "there is no room";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
  }
  store.erase(std::string(info('a').path.digest()));
  fetch(shared, 'c');
  EXPECT_FALSE(shared.is_private(info('a').path.digest()));
  EXPECT_TRUE(shared.is_private(info('b').path.digest()));
  EXPECT_TRUE(shared.is_private(info('c').path.digest()));

  store.erase(std::string(info('b').path.digest()));
  {  // as on a full disk
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit nothing{.rlim_cur = 0, .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &nothing);
    const SharedPaths full(file, is_there, 2);
    ::setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_TRUE(full.is_private(info('c').path.digest()));
  }
  const SharedPaths again(file, is_there, 2);
  EXPECT_FALSE(again.is_private(info('b').path.digest()));
  EXPECT_TRUE(again.is_private(info('c').path.digest()));
  EXPECT_EQ(read_file(file), std::string(info('c').path.digest()) + "\n");
}

TEST(SharedPaths, where_it_cannot_be_read_what_is_private_everything_is) {
  const TempDir directory;
  const auto file = directory.path() / "private";
  fs::create_directory(file);
  const SharedPaths shared(file, all_there);
  EXPECT_TRUE(shared.is_private(info('a').path.digest()));
}

}  // namespace
}  // namespace flox::store
