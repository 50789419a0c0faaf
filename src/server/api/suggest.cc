#include "server/api/suggest.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace flox::server {
namespace {

constexpr size_t longest_name =
    128;  // of a package; what is longer is like none, and would take long to compare

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

std::string advice_for_unknown(std::string_view name, const std::vector<std::string>& known_names) {
  std::vector<std::pair<size_t, std::string>> near;
  if (!name.empty() && name.size() <= longest_name)
    for (const auto& known : known_names) {
      const size_t most = std::max<size_t>(2, name.size() / 3);
      const bool contains = known.find(name) != std::string::npos;
      const size_t longer = std::max(known.size(), name.size()) - std::min(known.size(), name.size());
      if (!contains && longer > most) continue;  // at least so many letters to add
      const size_t edits = distance(name, known);
      if (edits <= most || contains) near.emplace_back(edits, known);
    }
  std::ranges::sort(near);
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min<size_t>(near.size(), 3); ++i) names.push_back(near[i].second);
  return names.empty() ? "see what there is with: flox search TERM"
                       : fmt::format("did you mean {}?", fmt::join(names, ", "));
}

}  // namespace flox::server
