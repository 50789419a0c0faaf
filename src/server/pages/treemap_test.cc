#include "server/pages/treemap.h"

#include <gtest/gtest.h>

namespace flox::server {
namespace {

TEST(Treemap, AreasAreInProportionAndFillTheWhole) {
  const std::vector<double> sizes{6, 6, 4, 3, 2, 2, 1};
  const Rectangle whole{.width = 6, .height = 4};
  const auto places = squarified(sizes, whole);
  ASSERT_EQ(places.size(), sizes.size());
  double area = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_NEAR(places[i].width * places[i].height, sizes[i], 1e-9);
    EXPECT_GE(places[i].x, 0);
    EXPECT_LE(places[i].x + places[i].width, whole.width + 1e-9);
    EXPECT_LE(places[i].y + places[i].height, whole.height + 1e-9);
    area += places[i].width * places[i].height;
    for (size_t j = 0; j < i; ++j) {
      const double across = std::min(places[i].x + places[i].width, places[j].x + places[j].width) -
                            std::max(places[i].x, places[j].x);
      const double down = std::min(places[i].y + places[i].height, places[j].y + places[j].height) -
                          std::max(places[i].y, places[j].y);
      EXPECT_TRUE(across <= 1e-9 || down <= 1e-9) << i << " and " << j << " overlap";
    }
  }
  EXPECT_NEAR(area, 24, 1e-9);
  // The paper's example: the first two stand above each other, 3 by 2.
  EXPECT_NEAR(places[0].width, 3, 1e-9);
  EXPECT_NEAR(places[1].height, 2, 1e-9);
}

TEST(Treemap, TakesSizesThatDifferALot) {
  for (const Rectangle& place : squarified({1e12, 1, 1e-3}, {.width = 100, .height = 50})) {
    EXPECT_GE(place.width, 0);
    EXPECT_GE(place.height, 0);
  }
  EXPECT_TRUE(squarified({}, {.width = 1, .height = 1}).empty());
}

TEST(Treemap, WhatIsTooSmallToSeeIsDrawnTogether) {
  std::vector<Tile> tiles{{.name = "large", .bytes = 1'000'000}};
  for (int i = 0; i < 500; ++i) tiles.push_back({.name = "small", .bytes = 100});
  const std::string svg = treemap(tiles, "Sizes").markup();
  EXPECT_NE(svg.find("500 smaller ones"), std::string::npos);
  EXPECT_LT(svg.size(), 4000U);
}

TEST(Treemap, NamesAreTexts) {
  const std::string svg = treemap({{.name = "<script>", .bytes = 10}}, "\"><script>").markup();
  EXPECT_EQ(svg.find("<script"), std::string::npos);
}

}  // namespace
}  // namespace flox::server
