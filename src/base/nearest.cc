#include "base/nearest.h"

#include <algorithm>

namespace flox {
namespace {

constexpr size_t longest_word = 128;  // bytes

// Levenshtein's distance: how many letters to change, add or drop.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::vector<std::string> nearest_names(std::string_view word, const std::vector<std::string>& names,
                                       size_t most) {
  if (word.empty() || word.size() > longest_word) return {};
  std::vector<std::pair<size_t, std::string>> near;
  for (const auto& name : names) {
    const size_t limit = std::min(word.size() - 1, std::max<size_t>(2, word.size() / 3));
    const bool contains = name.find(word) != std::string::npos;
    const size_t longer = std::max(name.size(), word.size()) - std::min(name.size(), word.size());
    if (!contains && longer > limit) continue;  // at least so many letters to add
    const size_t edits = distance(word, name);
    if (edits <= limit || contains) near.emplace_back(edits, name);
  }
  std::ranges::sort(near);
  std::vector<std::string> found;
  for (size_t i = 0; i < std::min(near.size(), most); ++i) found.push_back(near[i].second);
  return found;
}

}  // namespace flox
