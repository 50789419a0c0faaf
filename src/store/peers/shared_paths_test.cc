#include "store/peers/shared_paths.h"

#include <gtest/gtest.h>

namespace flox::store {
namespace {

nix::PathInfo info(char letter) {
  nix::PathInfo result{.path = nix::StorePath::from_base_name(std::string(32, letter) + "-a")};
  result.nar_hash = sha256(std::string(1, letter));
  result.nar_size = 7;
  return result;
}

TEST(SharedPaths, tells_what_is_under_way_until_it_ends) {
  SharedPaths shared;
  const std::string name = peer_name(info('a'));
  EXPECT_EQ(shared.state(name), PeerHas::nothing);
  {
    SharedPaths::Realisation one(shared);
    one.plan(info('a'));
    EXPECT_EQ(shared.state(name), PeerHas::planned);
    one.fetching(info('a'));
    EXPECT_EQ(shared.state(name), PeerHas::fetching);
    EXPECT_FALSE(shared.staged(name));
    const uint64_t before = shared.progress();
    {
      SharedPaths::Realisation other(shared);
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
  SharedPaths shared;
  const std::string name = peer_name(info('a'));
  {
    SharedPaths::Realisation prefetch(shared, true);
    EXPECT_EQ(shared.state(name), PeerHas::nothing);
    SharedPaths::Realisation pod(shared);
    EXPECT_EQ(shared.state(name), PeerHas::undecided);
    pod.planned();
    EXPECT_EQ(shared.state(name), PeerHas::nothing);
    SharedPaths::Realisation broken_off(shared);
  }
  EXPECT_EQ(shared.state(name), PeerHas::nothing);
}

TEST(SharedPaths, what_was_planned_and_is_in_the_store_has_no_tree) {
  SharedPaths shared;
  SharedPaths::Realisation one(shared);
  one.plan(info('a'));
  one.present(info('a'), {});
  EXPECT_EQ(shared.state(peer_name(info('a'))), PeerHas::present);
  EXPECT_FALSE(shared.staged(peer_name(info('a'))));
}

TEST(SharedPaths, says_what_nobody_is_in_a_hurry_for) {
  SharedPaths shared;
  const std::string name = peer_name(info('a'));
  SharedPaths::Realisation prefetch(shared, true);
  prefetch.plan(info('a'));
  EXPECT_EQ(shared.state(name), PeerHas::planned_slowly);
  prefetch.fetching(info('a'));
  EXPECT_EQ(shared.state(name), PeerHas::fetching_slowly);
  {
    SharedPaths::Realisation pod(shared);
    pod.plan(info('a'));
    EXPECT_EQ(shared.state(name), PeerHas::fetching) << "a pod waits for it now";
  }
  EXPECT_EQ(shared.state(name), PeerHas::fetching_slowly);
  prefetch.present(info('a'), "/tree");
  EXPECT_EQ(shared.state(name), PeerHas::present);
}

}  // namespace
}  // namespace flox::store
