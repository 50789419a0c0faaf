#include "store/peers/peer_question.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::store {
namespace {

using testing::ElementsAre;

std::string name_of(char letter) {
  nix::PathInfo info{.path = nix::StorePath::from_base_name(std::string(32, letter) + "-a")};
  info.nar_hash = sha256(std::string(1, letter));
  return peer_name(info);
}

TEST(PeerQuestion, comes_out_as_it_went_in) {
  const std::vector<std::string> names = {name_of('a'), name_of('b')};
  EXPECT_EQ(read_peer_question(write_peer_question(names)), names);
  EXPECT_TRUE(read_peer_question("").empty());
}

TEST(PeerQuestion, has_nothing_but_names_and_not_too_many) {
  const std::string name = name_of('a');
  EXPECT_TRUE(is_peer_name(name));
  for (const std::string& text : {name, "\n" + name + "\n", name + "\r\n", "../" + name.substr(3) + "\n",
                                  name.substr(1) + "\n", std::string(32, 'e') + name.substr(32) + "\n"})
    EXPECT_THROW(read_peer_question(text), Error) << text;
  EXPECT_NO_THROW(read_peer_question(write_peer_question(std::vector(most_asked_of_peer, name))));
  EXPECT_THROW(write_peer_question(std::vector(most_asked_of_peer + 1, name)), Error);
  EXPECT_THROW(read_peer_question(write_peer_question(std::vector(most_asked_of_peer, name)) + name + "\n"),
               Error);
}

TEST(PeerAnswer, comes_out_as_it_went_in) {
  const PeerAnswer answer{.node = 0xfedcba9876543210,
                          .progress = 7,
                          .has = {PeerHas::nothing, PeerHas::planned, PeerHas::fetching,
                                  PeerHas::planned_slowly, PeerHas::fetching_slowly, PeerHas::present}};
  const std::string text = write_peer_answer(answer);
  EXPECT_EQ(text, "fedcba9876543210 0000000000000007\n-pfPFh\n");
  const PeerAnswer again = read_peer_answer(text, 6);
  EXPECT_EQ(again.node, answer.node);
  EXPECT_EQ(again.progress, 7U);
  EXPECT_THAT(again.has, ElementsAre(PeerHas::nothing, PeerHas::planned, PeerHas::fetching,
                                     PeerHas::planned_slowly, PeerHas::fetching_slowly, PeerHas::present));
}

TEST(PeerAnswer, is_refused_unless_it_answers_the_question) {
  for (const char* text :
       {"", "x", "fedcba9876543210 0000000000000007\n-pfx\n", "fedcba9876543210 0000000000000007\n-pf\n",
        "fedcba9876543210 0000000000000007\n-pfhh\n", "fedcba987654321g 0000000000000007\n-pfh\n",
        "fedcba9876543210_0000000000000007\n-pfh\n"})
    EXPECT_THROW(read_peer_answer(text, 4), Error) << text;
}

}  // namespace
}  // namespace flox::store
