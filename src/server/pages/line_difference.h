// What differs between two texts, line by line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flox::server {

struct DifferenceLine {
  enum class Kind { same, removed, added, left_out };
  Kind kind = Kind::same;
  std::string text;  // of left_out: empty
};

// The shortest change, with so many lines around it that are in both; empty if the texts are the same. Texts
// that differ in over 1,000 lines are shown as removed and added whole, at most 2,000 lines of each.
std::vector<DifferenceLine> line_difference(std::string_view before, std::string_view after,
                                            size_t around = 3);

}  // namespace flox::server
