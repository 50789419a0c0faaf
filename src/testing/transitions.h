// Checks that a life goes as it is drawn.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>

#include "base/transitions.h"

namespace flox {

// Checks a table of transitions (base/transitions.h) for every pair of a state and an event: `expected` has a
// row for each state of `from` and in it a column for each event, empty where the event cannot happen.
template <typename State, typename Event, size_t rows, size_t states, size_t events>
void expect_life(const Transition<State, Event> (&table)[rows], const State (&from)[states],
                 const Event (&happening)[events], const std::optional<State> (&expected)[states][events]) {
  size_t possible = 0;
  for (size_t s = 0; s < states; ++s)
    for (size_t e = 0; e < events; ++e) {
      SCOPED_TRACE(fmt::format("{} while {}", word(happening[e]), word(from[s])));
      EXPECT_EQ(next_state(table, from[s], happening[e]), expected[s][e]);
      if (expected[s][e]) {
        ++possible;
        EXPECT_EQ(follow(table, from[s], happening[e], "web"), *expected[s][e]);
        continue;
      }
      try {
        follow(table, from[s], happening[e], "web");
        ADD_FAILURE() << "it happened";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::internal);
        EXPECT_EQ(error.what(),
                  fmt::format("web: \"{}\" cannot happen while it is {}", word(happening[e]), word(from[s])));
      }
    }
  EXPECT_EQ(possible, rows) << "each row of the table stands for one pair";
  std::set<std::string> words;
  for (const State state : from) words.insert(word(state));
  EXPECT_EQ(words.size(), states) << "every state has a word of its own";
  words.clear();
  for (const Event event : happening) words.insert(word(event));
  EXPECT_EQ(words.size(), events) << "every event has a word of its own";
}

}  // namespace flox
