// Rows by their ids, many at once: following references so takes half the time of a recursive query of
// SQLite's, which keeps what it has seen in a tree.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_set>
#include <vector>

#include "base/data/sqlite.h"

namespace flox::store {

// The ids that were met. Rows have small ids, one after the other; an odd one may have any.
class IdSet {
 public:
  // Whether it is new.
  bool insert(int64_t id) {
    if (id < 0 || id >= dense) return odd_.insert(id).second;
    const auto index = static_cast<size_t>(id);
    if (index >= seen_.size()) seen_.resize(std::max(index + 1, 2 * seen_.size()));
    const bool fresh = !seen_[index];
    seen_[index] = true;
    return fresh;
  }

 private:
  static constexpr int64_t dense = 1 << 26;
  std::vector<bool> seen_;  // by id
  std::unordered_set<int64_t> odd_;
};

// Calls `body` for each row of these ids, which are sorted. Neighbours are read together: `statement` gives
// the rows of a range of ids, with the id as their first column.
template <typename Body>
void for_each_row(sqlite::Statement& statement, const std::vector<int64_t>& ids, const Body& body) {
  constexpr uint64_t widest_gap = 8;  // passing over so many rows is cheaper than beginning anew
  for (auto first = ids.begin(); first != ids.end();) {
    auto end = first + 1;
    // Unsigned, as the ids of odd rows may be further apart than an int64_t can say.
    auto gap = [](int64_t low, int64_t high) {
      return static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    };
    while (end != ids.end() && gap(*(end - 1), *end) <= widest_gap) ++end;
    auto row = statement.use();
    row.bind(*first).bind(*(end - 1));
    if (gap(*first, *(end - 1)) == static_cast<uint64_t>(end - first - 1)) {
      while (row.next()) body(row);
    } else {
      for (auto id = first; row.next();) {
        while (*id < row.number(0)) ++id;
        if (*id == row.number(0)) body(row);
      }
    }
    first = end;
  }
}

}  // namespace flox::store
