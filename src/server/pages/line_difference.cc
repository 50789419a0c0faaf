#include "server/pages/line_difference.h"

#include <algorithm>
#include <cstdint>

namespace flox::server {
namespace {

using LineKind = DifferenceLine::Kind;
using Lines = std::vector<std::string_view>;

constexpr size_t most_compared = 1000;  // lines of each text: a table of 2 MB
constexpr size_t most_whole = 2000;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

void add(std::vector<DifferenceLine>& result, LineKind kind, std::string_view text) {
  result.push_back({.kind = kind, .text = std::string(text)});
}

void add_whole(std::vector<DifferenceLine>& result, LineKind kind, const Lines& lines) {
  for (size_t i = 0; i < std::min(lines.size(), most_whole); ++i) add(result, kind, lines[i]);
  if (lines.size() > most_whole) add(result, LineKind::left_out, "");
}

// By the longest common subsequence.
void compare(std::vector<DifferenceLine>& result, const Lines& before, const Lines& after) {
  const size_t columns = after.size() + 1;
  std::vector<uint16_t> common((before.size() + 1) * columns, 0);  // of what follows
  for (size_t i = before.size(); i-- > 0;)
    for (size_t j = after.size(); j-- > 0;)
      common[i * columns + j] = before[i] == after[j]
                                    ? static_cast<uint16_t>(common[(i + 1) * columns + j + 1] + 1)
                                    : std::max(common[(i + 1) * columns + j], common[i * columns + j + 1]);
  size_t i = 0;
  size_t j = 0;
  while (i < before.size() || j < after.size()) {
    if (i < before.size() && j < after.size() && before[i] == after[j]) {
      add(result, LineKind::same, before[i++]);
      ++j;
    } else if (j == after.size() ||
               (i < before.size() && common[(i + 1) * columns + j] >= common[i * columns + j + 1])) {
      add(result, LineKind::removed, before[i++]);
    } else {
      add(result, LineKind::added, after[j++]);
    }
  }
}

// Only the lines near a change.
std::vector<DifferenceLine> near_changes(std::vector<DifferenceLine> lines, size_t around) {
  std::vector<bool> kept(lines.size(), false);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].kind == LineKind::same) continue;
    const size_t end = std::min(lines.size(), i + around + 1);
    for (size_t near = i - std::min(i, around); near < end; ++near) kept[near] = true;
  }
  std::vector<DifferenceLine> result;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (kept[i])
      result.push_back(std::move(lines[i]));
    else if (result.empty() || result.back().kind != LineKind::left_out)
      add(result, LineKind::left_out, "");
  }
  return result;
}

}  // namespace

std::vector<DifferenceLine> line_difference(std::string_view before, std::string_view after, size_t around) {
  std::vector<DifferenceLine> result;
  const Lines old = lines_of(before);
  const Lines fresh = lines_of(after);
  if (old == fresh) return result;
  size_t first = 0;
  while (first < old.size() && first < fresh.size() && old[first] == fresh[first]) ++first;
  size_t last = 0;
  while (last < old.size() - first && last < fresh.size() - first &&
         old[old.size() - 1 - last] == fresh[fresh.size() - 1 - last])
    ++last;
  for (size_t i = first - std::min(first, around + 1); i < first; ++i) add(result, LineKind::same, old[i]);
  const Lines changed_old(old.begin() + static_cast<ptrdiff_t>(first),
                          old.end() - static_cast<ptrdiff_t>(last));
  const Lines changed_fresh(fresh.begin() + static_cast<ptrdiff_t>(first),
                            fresh.end() - static_cast<ptrdiff_t>(last));
  if (changed_old.size() > most_compared || changed_fresh.size() > most_compared) {
    add_whole(result, LineKind::removed, changed_old);
    add_whole(result, LineKind::added, changed_fresh);
  } else {
    compare(result, changed_old, changed_fresh);
  }
  for (size_t i = 0; i < std::min(last, around + 1); ++i)
    add(result, LineKind::same, old[old.size() - last + i]);
  return near_changes(std::move(result), around);
}

}  // namespace flox::server
