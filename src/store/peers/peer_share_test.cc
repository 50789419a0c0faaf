#include "store/peers/peer_share.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace flox::store {
namespace {

using From = PeerShare::From;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::Lt;

std::string path(size_t number) {
  nix::PathInfo info{
      .path = nix::StorePath::from_base_name(
          nix::make_store_path("source", bytes_of(sha256(std::to_string(number))), "p").base_name())};
  info.nar_hash = sha256(std::to_string(number));
  return peer_name(info);
}

// Nodes that want the same paths, each with its view of the others. All time is the test's.
class PeerShareTest : public testing::Test {
 protected:
  void start(size_t nodes, size_t paths, bool in_no_hurry = false) {
    for (size_t i = 0; i < paths; ++i) names_.push_back(path(i));
    for (size_t node = 0; node < nodes; ++node) {
      views_.push_back(std::make_unique<PeerShare>(node + 1, nodes, PeerPatience{}, in_no_hurry));
      views_.back()->want(names_, now_);
    }
  }
  // `node` hears of all others what they are doing: the same for every path.
  void hear(size_t node, PeerHas has, uint64_t progress = 0) {
    for (size_t other = 0; other < views_.size(); ++other)
      views_[node]->answered(
          other, names_, {.node = other + 1, .progress = progress, .has = std::vector(names_.size(), has)},
          now_);
  }
  PeerShare::Choice choose(size_t node, size_t number) { return views_[node]->choose(names_[number], now_); }

  PeerShare::Time now_{std::chrono::hours(1)};
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<PeerShare>> views_;
};

TEST_F(PeerShareTest, of_nodes_that_plan_the_same_one_asks_the_caches_for_each_path) {
  start(5, 100);
  for (size_t node = 0; node < 5; ++node) hear(node, PeerHas::planned);
  std::vector<size_t> shares(5);
  for (size_t i = 0; i < names_.size(); ++i) {
    std::vector<size_t> asking;
    for (size_t node = 0; node < 5; ++node)
      if (choose(node, i).from == From::caches) asking.push_back(node);
    ASSERT_EQ(asking.size(), 1U) << i;
    ++shares[asking.front()];
  }
  for (const size_t share : shares) EXPECT_THAT(share, testing::AllOf(testing::Gt(8U), Lt(35U)));
}

TEST_F(PeerShareTest, what_a_peer_has_is_asked_of_a_peer_and_not_all_of_the_same) {
  start(5, 100);
  hear(0, PeerHas::present);
  std::set<size_t> asked;
  for (size_t i = 0; i < names_.size(); ++i) {
    ASSERT_EQ(choose(0, i).from, From::peer);
    asked.insert(choose(0, i).peer);
  }
  EXPECT_THAT(asked, ElementsAre(1, 2, 3, 4)) << "not itself, and every other one";
}

TEST_F(PeerShareTest, before_peers_have_answered_it_waits_a_moment_only) {
  start(2, 1);
  EXPECT_EQ(choose(0, 0).from, From::later);
  now_ += PeerPatience{}.first;
  EXPECT_EQ(choose(0, 0).from, From::caches);
}

TEST_F(PeerShareTest, what_peers_do_not_plan_is_left_to_the_chosen_one_for_a_moment_only) {
  start(2, 20);
  hear(0, PeerHas::nothing);
  size_t left = 0;
  for (size_t i = 0; i < names_.size(); ++i) left += choose(0, i).from == From::later ? 1 : 0;
  EXPECT_THAT(left, testing::AllOf(testing::Gt(3U), Lt(17U)));
  now_ += PeerPatience{}.start;
  for (size_t i = 0; i < names_.size(); ++i) EXPECT_EQ(choose(0, i).from, From::caches);
}

TEST_F(PeerShareTest, without_peers_nothing_waits) {
  start(1, 1);
  hear(0, PeerHas::planned);  // it hears itself
  EXPECT_EQ(choose(0, 0).from, From::caches);
  EXPECT_EQ(views_[0]->answering(), 0U);
}

TEST_F(PeerShareTest, a_peer_that_is_fetching_is_waited_for_while_it_gets_on) {
  start(2, 1);
  for (int step = 1; step <= 10; ++step) {
    hear(0, PeerHas::fetching, static_cast<uint64_t>(step));
    EXPECT_EQ(choose(0, 0).from, From::later);
    now_ += PeerPatience{}.idle / 2;
  }
  now_ += PeerPatience{}.idle;
  hear(0, PeerHas::fetching, 10);
  EXPECT_EQ(choose(0, 0).from, From::caches) << "it got nowhere";
}

TEST_F(PeerShareTest, a_peer_that_answers_no_more_is_not_waited_for) {
  start(2, 1);
  hear(0, PeerHas::fetching, 1);
  now_ += PeerPatience{}.silent;
  EXPECT_EQ(choose(0, 0).from, From::later) << "it may have much to do";
  now_ += milliseconds(1);
  EXPECT_EQ(choose(0, 0).from, From::caches);
}

TEST_F(PeerShareTest, a_pod_does_not_wait_for_what_another_node_prefetches) {
  start(2, 20);
  for (const PeerHas has : {PeerHas::planned_slowly, PeerHas::fetching_slowly}) {
    hear(0, has);
    for (size_t i = 0; i < names_.size(); ++i) EXPECT_EQ(choose(0, i).from, From::caches);
  }
  hear(0, PeerHas::present);
  EXPECT_EQ(choose(0, 0).from, From::peer);
}

TEST_F(PeerShareTest, nodes_that_prefetch_share_with_each_other) {
  start(5, 100, true);
  for (size_t node = 0; node < 5; ++node) hear(node, PeerHas::planned_slowly);
  for (size_t i = 0; i < names_.size(); ++i) {
    size_t asking = 0;
    for (size_t node = 0; node < 5; ++node) asking += choose(node, i).from == From::caches ? 1 : 0;
    EXPECT_EQ(asking, 1U) << i;
  }
  hear(0, PeerHas::fetching_slowly);
  EXPECT_EQ(choose(0, 0).from, From::later);
}

TEST_F(PeerShareTest, prefetching_leaves_to_others_what_a_pod_there_waits_for) {
  start(2, 20, true);
  hear(0, PeerHas::planned);
  for (size_t i = 0; i < names_.size(); ++i) EXPECT_EQ(choose(0, i).from, From::later);
}

TEST_F(PeerShareTest, no_promise_holds_for_ever) {
  start(2, 1);
  const auto began = now_;
  for (uint64_t step = 1;; ++step) {
    hear(0, PeerHas::fetching, step);
    if (choose(0, 0).from == From::caches) break;
    now_ += milliseconds(500);
    ASSERT_LT(now_ - began, 2 * PeerPatience{}.path);
  }
}

TEST_F(PeerShareTest, a_busy_peer_is_asked_again_and_one_that_does_not_have_it_is_not) {
  start(2, 1);
  hear(0, PeerHas::present);
  ASSERT_EQ(choose(0, 0).from, From::peer);
  views_[0]->refused(1, names_[0], true, now_);
  EXPECT_EQ(choose(0, 0).from, From::later);
  now_ += milliseconds(200);
  EXPECT_EQ(choose(0, 0).from, From::peer);
  views_[0]->refused(1, names_[0], false, now_);
  EXPECT_EQ(choose(0, 0).from, From::caches);
}

TEST_F(PeerShareTest, a_peer_that_was_given_up_counts_no_more) {
  start(3, 20);
  hear(0, PeerHas::planned);
  views_[0]->give_up(1);
  views_[0]->give_up(2);
  for (size_t i = 0; i < names_.size(); ++i) EXPECT_EQ(choose(0, i).from, From::caches);
}

TEST_F(PeerShareTest, what_is_done_is_asked_for_no_more) {
  start(2, 3);
  views_[0]->done(names_[0]);
  views_[0]->done(names_[2]);
  EXPECT_THAT(views_[0]->open_names(), ElementsAre(names_[1]));
}

}  // namespace
}  // namespace flox::store
