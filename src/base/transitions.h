// The life of something as a table: from which state which event leads to which. What the table does not have
// cannot happen, and is an error that names it. States and events are enums with a `word`, found beside them:
// what an error calls them.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace flox {

template <typename State, typename Event>
struct Transition {
  State from;
  Event event;
  State to;
};

// Nothing if the event cannot happen in this state.
template <typename State, typename Event, size_t count>
constexpr std::optional<State> next_state(const Transition<State, Event> (&table)[count], State from,
                                          Event event) noexcept {
  for (const auto& row : table)
    if (row.from == from && row.event == event) return row.to;
  return std::nullopt;
}

// The same; throws Error(internal) "WHO: WORD cannot happen while it is WORD" if it cannot happen.
template <typename State, typename Event, size_t count>
State follow(const Transition<State, Event> (&table)[count], State from, Event event, std::string_view who) {
  const std::optional<State> to = next_state(table, from, event);
  if (!to) fail(ErrorKind::internal, "{}: \"{}\" cannot happen while it is {}", who, word(event), word(from));
  return *to;
}

}  // namespace flox
