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
      views_.push_back(std::make_unique<PeerShare>(node + 1, nodes, PeerPatience{}, now_, in_no_hurry));
      views_.back()->want(names_, now_);
    }
  }
  // `node` hears of another what it is doing: the same for every path.
  void hear_of(size_t node, size_t other, PeerHas has, uint64_t progress = 0) {
    views_[node]->answered(other, names_,
                           {.node = other + 1, .progress = progress, .has = std::vector(names_.size(), has)},
                           now_, now_);
  }
  void hear(size_t node, PeerHas has, uint64_t progress = 0) {
    for (size_t other = 0; other < views_.size(); ++other) hear_of(node, other, has, progress);
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
  EXPECT_EQ(choose(0, 0).from, From::later) << "nobody has: it may have much to do itself";
  now_ += PeerPatience{}.silent;
  EXPECT_EQ(choose(0, 0).from, From::caches);

  start(2, 0);
  views_[2]->answered(0, {}, {.node = 3, .progress = 0, .has = {}}, now_, now_ + milliseconds(1));
  views_[2]->want(names_, now_);
  now_ += PeerPatience{}.first;
  EXPECT_EQ(choose(2, 0).from, From::caches) << "itself has";
}

TEST_F(PeerShareTest, who_has_said_only_who_it_is_may_have_everything) {
  for (size_t i = 0; i < 20; ++i) names_.push_back(path(i));
  views_.push_back(std::make_unique<PeerShare>(1, 2, PeerPatience{}, now_));
  for (size_t peer = 0; peer < 2; ++peer)
    views_[0]->answered(peer, {}, {.node = peer + 1, .progress = 0, .has = {}}, now_, now_);
  views_[0]->want(names_, now_);
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(choose(0, i).from, From::later);
  views_[0]->answered(1, names_, {.node = 2, .progress = 0, .has = std::vector(20, PeerHas::present)}, now_,
                      now_);
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(choose(0, i).from, From::peer);
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

TEST_F(PeerShareTest, one_that_gets_nowhere_is_replaced_by_one_node_and_not_by_all) {
  start(6, 60);
  for (size_t node = 1; node < 6; ++node) hear(node, PeerHas::planned);
  now_ += PeerPatience{}.idle + milliseconds(1);
  for (size_t node = 1; node < 6; ++node)
    for (size_t other = 1; other < 6; ++other) hear_of(node, other, PeerHas::planned, 1);
  // Node 0 has stopped. What it was to ask for, one other node asks for, and the rest as before.
  for (size_t i = 0; i < names_.size(); ++i) {
    size_t asking = 0;
    for (size_t node = 1; node < 6; ++node) asking += choose(node, i).from == From::caches ? 1 : 0;
    EXPECT_EQ(asking, 1U) << i;
  }
}

TEST_F(PeerShareTest, when_all_have_stopped_they_are_replaced_one_after_the_other) {
  start(4, 60);
  hear(0, PeerHas::planned);
  std::vector<size_t> asked;
  for (int turn = 0; turn <= 4; ++turn) {
    size_t count = 0;
    for (size_t i = 0; i < names_.size(); ++i) count += choose(0, i).from == From::caches ? 1 : 0;
    asked.push_back(count);
    now_ += PeerPatience{}.idle + milliseconds(1);
  }
  EXPECT_THAT(asked, testing::ElementsAre(testing::Gt(0U), testing::Gt(asked[0]), testing::Gt(asked[1]),
                                          names_.size(), names_.size()));
}

TEST_F(PeerShareTest, where_answers_take_long_it_is_more_patient) {
  start(2, 20);
  const auto asked = now_;
  now_ += std::chrono::seconds(2);
  views_[0]->answered(1, names_, {.node = 2, .progress = 1, .has = std::vector(20, PeerHas::fetching)}, asked,
                      now_);
  now_ += PeerPatience{}.idle + std::chrono::seconds(7);
  EXPECT_EQ(choose(0, 0).from, From::later);
  now_ += std::chrono::seconds(2);
  EXPECT_EQ(choose(0, 0).from, From::caches);
}

TEST_F(PeerShareTest,
       one_that_has_not_found_out_yet_what_it_needs_is_waited_for_about_as_long_as_that_takes) {
  for (size_t i = 0; i < 20; ++i) names_.push_back(path(i));
  views_.push_back(std::make_unique<PeerShare>(1, 2, PeerPatience{}, now_));
  now_ += std::chrono::seconds(3);
  views_[0]->want(names_, now_);
  views_.push_back(nullptr);
  hear_of(0, 0, PeerHas::nothing);  // itself
  const auto left = [&] {
    hear_of(0, 1, PeerHas::undecided, static_cast<uint64_t>(now_.time_since_epoch().count()));
    size_t count = 0;
    for (size_t i = 0; i < names_.size(); ++i) count += choose(0, i).from == From::later ? 1 : 0;
    return count;
  };
  EXPECT_THAT(left(), testing::AllOf(testing::Gt(3U), Lt(17U)));
  now_ += std::chrono::seconds(5);
  EXPECT_THAT(left(), testing::Gt(3U));
  now_ += std::chrono::seconds(2);
  EXPECT_EQ(left(), 0U);
}

TEST_F(PeerShareTest, who_has_nothing_else_to_do_asks_the_caches_all_the_same_for_one_path_then_for_more) {
  start(2, 60);
  hear_of(0, 0, PeerHas::nothing);  // itself
  uint64_t progress = 0;
  const auto hedges_within = [&](milliseconds time) {
    size_t count = 0;
    for (milliseconds waited{0}; waited < time; waited += milliseconds(20), now_ += milliseconds(20)) {
      hear_of(0, 1, PeerHas::fetching, ++progress);
      while (views_[0]->hedge(now_)) ++count;
    }
    return count;
  };
  EXPECT_EQ(hedges_within(PeerPatience{}.hedge), 0U);
  EXPECT_EQ(hedges_within(PeerPatience{}.hedge), 1U) << "and no other one while that is under way";
}

TEST_F(PeerShareTest, a_hedge_for_what_another_realisation_fetches_leaves_room_for_the_next) {
  start(2, 60);
  hear_of(0, 0, PeerHas::nothing);
  const auto next_hedge = [&] {
    for (uint64_t progress = 1;; ++progress, now_ += milliseconds(20)) {
      hear_of(0, 1, PeerHas::fetching, progress);
      if (auto name = views_[0]->hedge(now_)) return *name;
      if (progress > 10'000) return std::string("none");
    }
  };
  const std::string first = next_hedge();
  views_[0]->released(first);
  EXPECT_EQ(views_[0]->hedges(), 0U) << "no cache was asked";
  EXPECT_NE(next_hedge(), "none");
}

TEST_F(PeerShareTest, a_peer_that_only_promises_costs_a_few_seconds) {
  start(2, 60);
  const auto began = now_;
  std::set<std::string> open(names_.begin(), names_.end());
  for (uint64_t progress = 1; !open.empty(); ++progress, now_ += milliseconds(20)) {
    hear_of(0, 1, PeerHas::fetching, progress);
    const std::set<std::string> left = open;
    for (const std::string& name : left)
      if (views_[0]->choose(name, now_).from == From::caches) {
        views_[0]->done(name, now_);
        open.erase(name);
      }
    while (const auto name = views_[0]->hedge(now_)) {
      views_[0]->done(*name, now_);
      open.erase(*name);
    }
    ASSERT_LT(now_ - began, std::chrono::seconds(10)) << open.size() << " are left";
  }
}

TEST_F(PeerShareTest, many_that_wait_for_one_do_not_all_ask_the_caches) {
  start(8, 40);
  size_t asked = 0;
  for (uint64_t progress = 1; progress <= 150; ++progress, now_ += milliseconds(20))
    for (size_t node = 1; node < 8; ++node) {
      for (size_t other = 1; other < 8; ++other) hear_of(node, other, PeerHas::planned, progress);
      hear_of(node, 0, PeerHas::fetching, progress);
      if (views_[node]->hedge(now_)) ++asked;
    }
  EXPECT_THAT(asked, testing::AllOf(testing::Gt(0U), testing::Le(7U)));
}

TEST_F(PeerShareTest, a_slow_transfer_gets_a_second_one_from_another_peer_and_then_from_the_caches) {
  start(3, 1);
  hear_of(0, 1, PeerHas::present);
  hear_of(0, 2, PeerHas::nothing);
  const auto since = now_;
  views_[0]->took(names_[0], {From::peer, 1});
  EXPECT_EQ(views_[0]->second(names_[0], 1, since, now_).from, From::later);
  now_ += PeerPatience{}.hedge;
  EXPECT_EQ(views_[0]->second(names_[0], 1, since, now_).from, From::later) << "not of the caches yet";
  hear_of(0, 2, PeerHas::present);
  const auto other = views_[0]->second(names_[0], 1, since, now_);
  EXPECT_EQ(other.from, From::peer);
  EXPECT_EQ(other.peer, 2U);
  now_ += std::chrono::minutes(1);
  EXPECT_EQ(views_[0]->second(names_[0], 1, since, now_).from, From::later) << "a third one";

  start(0, 0);
  views_.push_back(std::make_unique<PeerShare>(9, 2, PeerPatience{}, now_));
  PeerShare& alone = *views_.back();
  alone.want({names_[0]}, now_);
  alone.answered(1, names_, {.node = 2, .progress = 0, .has = {PeerHas::present}}, now_, now_);
  alone.took(names_[0], {From::peer, 1});
  EXPECT_EQ(alone.second(names_[0], 1, now_, now_ + PeerPatience{}.hedge).from, From::later);
  EXPECT_EQ(alone.second(names_[0], 1, now_, now_ + 8 * PeerPatience{}.hedge).from, From::caches);
}

TEST_F(PeerShareTest, a_peer_that_is_slow_again_and_again_is_given_up) {
  start(2, 3);
  hear(0, PeerHas::present);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(views_[0]->is_given_up(1));
    views_[0]->took(names_[i], choose(0, i));
    views_[0]->refused(1, names_[i], PeerShare::Refusal::slow, now_);
    EXPECT_EQ(choose(0, i).from, From::caches) << "it is not waited for";
    EXPECT_TRUE(views_[0]->is_slow(1));
    now_ += PeerPatience{}.idle;
  }
  EXPECT_TRUE(views_[0]->is_given_up(1));
  EXPECT_TRUE(views_[0]->is_slow(1));
}

TEST_F(PeerShareTest, one_peer_is_asked_for_a_few_paths_at_once) {
  start(2, 20);
  hear(0, PeerHas::present);
  size_t asked = 0;
  for (size_t i = 0; i < names_.size(); ++i) {
    const auto choice = choose(0, i);
    if (choice.from != From::peer) continue;
    views_[0]->took(names_[i], choice);
    ++asked;
  }
  EXPECT_EQ(asked, 4U);
  EXPECT_EQ(choose(0, 19).from, From::later);
  views_[0]->gave(1, milliseconds(10), now_);
  EXPECT_EQ(choose(0, 19).from, From::peer);
}

TEST_F(PeerShareTest, a_peer_is_asked_mostly_about_what_it_is_on_its_way_to) {
  start(2, 4);
  EXPECT_EQ(views_[0]->question(1, now_).size(), 4U);
  views_[0]->answered(1, names_,
                      {.node = 2,
                       .progress = 0,
                       .has = {PeerHas::nothing, PeerHas::planned, PeerHas::present, PeerHas::fetching}},
                      now_, now_);
  now_ += std::chrono::seconds(3);
  EXPECT_THAT(views_[0]->question(1, now_), ElementsAre(names_[0], names_[1], names_[3])) << "now and then";
  now_ += milliseconds(100);
  EXPECT_THAT(views_[0]->question(1, now_), ElementsAre(names_[1], names_[3]));
  views_[0]->took(names_[1], {From::caches, 0});
  EXPECT_THAT(views_[0]->question(1, now_), ElementsAre(names_[3])) << "it is under way here";
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

TEST_F(PeerShareTest, a_busy_peer_is_asked_again_and_one_that_does_not_have_it_is_not) {
  start(2, 1);
  hear(0, PeerHas::present);
  ASSERT_EQ(choose(0, 0).from, From::peer);
  views_[0]->refused(1, names_[0], PeerShare::Refusal::busy, now_);
  EXPECT_EQ(choose(0, 0).from, From::later);
  now_ += milliseconds(200);
  EXPECT_EQ(choose(0, 0).from, From::peer);
  views_[0]->refused(1, names_[0], PeerShare::Refusal::absent, now_);
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
  views_[0]->done(names_[0], now_);
  views_[0]->done(names_[2], now_);
  EXPECT_THAT(views_[0]->question(1, now_), ElementsAre(names_[1]));
}

}  // namespace
}  // namespace flox::store
