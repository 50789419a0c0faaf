// A treemap: areas in proportion to sizes, as an SVG picture that is made here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/pages/html.h"

namespace flox::server {

struct Rectangle {
  double x = 0, y = 0, width = 0, height = 0;
};

// Areas in proportion to the sizes, which together fill `whole`, in the order of the sizes; none much longer
// than wide where that can be (M. Bruls, K. Huizing, J. van Wijk: Squarified Treemaps, 2000). The sizes
// descend and are over 0.
std::vector<Rectangle> squarified(const std::vector<double>& sizes, const Rectangle& whole);

struct Tile {
  std::string name;
  uint64_t bytes = 0;
  const char* kind = "far";  // a class of the style sheet: own, near or far
};

// The picture in a wide and in a tall form, of which the style sheet shows the one that fits. The largest
// tiles are drawn, the others as one. `label` is for those who do not see it.
Html treemap(std::vector<Tile> tiles, const std::string& label);

}  // namespace flox::server
