#include "server/pages/treemap.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/printable.h"
#include "base/settings/units.h"

namespace flox::server {
namespace {

constexpr size_t most_tiles = 48;
constexpr double smallest_share = 0.0015;  // of the whole: a smaller tile is not seen

// How far from a square the worst of the row would be, if it takes the whole of the shorter side.
double worst(double smallest, double largest, double sum, double side) {
  const double square = side * side;
  const double total = sum * sum;
  return std::max(square * largest / total, total / (square * smallest));
}

// The text in so much room, cut; empty if there is too little. Characters of the font are some 0.58 of its
// size wide.
std::string fitting(const std::string& text, double width, double font_size) {
  const auto most = static_cast<size_t>(std::max(0.0, (width - 14) / (0.58 * font_size)));
  if (text.size() <= most) return text;
  return most < 4 ? "" : printable(text, most - 1);
}

Html picture(const std::vector<Tile>& tiles, const Rectangle& whole, const char* form,
             const std::string& label) {
  std::vector<double> sizes;
  for (const Tile& tile : tiles) sizes.push_back(static_cast<double>(tile.bytes));
  const std::vector<Rectangle> places = squarified(sizes, whole);
  const auto at = [](double value) { return fmt::format("{:.1f}", value); };
  Html content;
  for (size_t i = 0; i < tiles.size(); ++i) {
    const auto& [x, y, width, height] = places[i];
    const std::string size = size_text(tiles[i].bytes);
    Html tile = el("title", {}, fmt::format("{}, {}", tiles[i].name, size));
    tile +=
        el("rect", {{"x", at(x)}, {"y", at(y)}, {"width", at(width)}, {"height", at(height)}, {"rx", "3"}});
    const std::string name = height < 24 ? "" : fitting(tiles[i].name, width, 13);
    if (!name.empty()) tile += el("text", {{"x", at(x + 8)}, {"y", at(y + 18)}}, name);
    if (!name.empty() && height >= 42 && fitting(size, width, 12) == size)
      tile += el("text", {{"class", "size"}, {"x", at(x + 8)}, {"y", at(y + 35)}}, size);
    content += el("g", {{"class", tiles[i].kind}}, tile);
  }
  return el("svg",
            {{"class", form},
             {"viewBox", fmt::format("0 0 {} {}", whole.width, whole.height)},
             {"role", "img"},
             {"aria-label", label}},
            content);
}

}  // namespace

std::vector<Rectangle> squarified(const std::vector<double>& sizes, const Rectangle& whole) {
  std::vector<Rectangle> result;
  const double total = std::accumulate(sizes.begin(), sizes.end(), 0.0);
  if (total <= 0) return result;
  const double scale = whole.width * whole.height / total;  // area of a unit of size
  Rectangle left = whole;
  for (size_t first = 0; first < sizes.size();) {
    const double side = std::min(left.width, left.height);
    // As many as make the row better.
    size_t end = first + 1;
    double sum = sizes[first] * scale;
    double ratio = worst(sum, sum, sum, side);
    for (; end < sizes.size(); ++end) {
      const double next = sizes[end] * scale;
      const double with_next = worst(next, sizes[first] * scale, sum + next, side);
      if (with_next > ratio) break;
      sum += next;
      ratio = with_next;
    }
    const double depth = side > 0 ? sum / side : 0;
    double along = 0;
    for (; first < end; ++first) {
      const double length = depth > 0 ? sizes[first] * scale / depth : 0;
      result.push_back(left.width >= left.height
                           ? Rectangle{.x = left.x, .y = left.y + along, .width = depth, .height = length}
                           : Rectangle{.x = left.x + along, .y = left.y, .width = length, .height = depth});
      along += length;
    }
    if (left.width >= left.height) {
      left.x += depth;
      left.width = std::max(0.0, left.width - depth);
    } else {
      left.y += depth;
      left.height = std::max(0.0, left.height - depth);
    }
  }
  return result;
}

Html treemap(std::vector<Tile> tiles, const std::string& label) {
  std::erase_if(tiles, [](const Tile& tile) { return tile.bytes == 0; });
  std::ranges::stable_sort(tiles, std::greater(), &Tile::bytes);
  uint64_t total = 0;
  for (const Tile& tile : tiles) total += tile.bytes;
  size_t drawn = 0;
  while (drawn < tiles.size() && drawn < most_tiles &&
         static_cast<double>(tiles[drawn].bytes) >= smallest_share * static_cast<double>(total))
    ++drawn;
  if (drawn + 1 < tiles.size()) {
    Tile others{.name = fmt::format("{} smaller ones", tiles.size() - drawn)};
    for (size_t i = drawn; i < tiles.size(); ++i) others.bytes += tiles[i].bytes;
    tiles.resize(drawn);
    tiles.insert(std::ranges::upper_bound(tiles, others.bytes, std::greater(), &Tile::bytes),
                 std::move(others));
  }
  const bool is_simple = tiles.size() <= 4;
  Html both = picture(tiles, {.width = 1040, .height = is_simple ? 200.0 : 420.0}, "map wide-map", label);
  both += picture(tiles, {.width = 360, .height = is_simple ? 240.0 : 520.0}, "map tall", label);
  return both;
}

}  // namespace flox::server
