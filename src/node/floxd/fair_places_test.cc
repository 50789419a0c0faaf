#include "node/floxd/fair_places.h"

#include <gtest/gtest.h>

namespace flox::node {
namespace {

size_t take_all(FairPlaces& places, const std::string& tenant) {
  size_t count = 0;
  for (; places.has_one_for(tenant); ++count) places.take(tenant);
  return count;
}

TEST(FairPlaces, leave_one_for_who_has_none_however_much_others_ask_for) {
  FairPlaces places(16);
  EXPECT_EQ(take_all(places, "a"), 8u);
  EXPECT_EQ(take_all(places, "b"), 4u);
  EXPECT_EQ(take_all(places, "c"), 2u);
  EXPECT_EQ(take_all(places, "d"), 1u);
  EXPECT_FALSE(places.has_one_for("a"));
  EXPECT_TRUE(places.has_one_for("e"));
  EXPECT_EQ(places.taken(), 15u);
}

TEST(FairPlaces, that_are_given_back_are_had_again) {
  FairPlaces places(4);
  take_all(places, "a");
  EXPECT_EQ(places.taken("a"), 2u);
  places.give_back("a");
  places.give_back("a");
  EXPECT_EQ(places.taken("a"), 0u);
  EXPECT_EQ(take_all(places, "b"), 2u);
}

TEST(FairPlaces, of_which_there_is_one_go_to_whoever_comes_first) {
  FairPlaces places(1);
  EXPECT_EQ(take_all(places, "a"), 1u);
  EXPECT_FALSE(places.has_one_for("b"));
}

}  // namespace
}  // namespace flox::node
