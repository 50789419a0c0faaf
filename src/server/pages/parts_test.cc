#include "server/pages/parts.h"

#include <gtest/gtest.h>

namespace flox::server {
namespace {

TEST(Parts, CountsAreReadable) {
  EXPECT_EQ(count_text(1, "path", "paths"), "1 path");
  EXPECT_EQ(count_text(0, "path", "paths"), "0 paths");
  EXPECT_EQ(count_text(1234567, "path", "paths"), "1,234,567 paths");
}

TEST(Parts, ChangesHaveASign) {
  EXPECT_EQ(change_text(10, 10), "±0");
  EXPECT_EQ(change_text(0, 2048), "+2.0 KiB");
  EXPECT_EQ(change_text(2048, 0), "−2.0 KiB");
}

TEST(Parts, AListHasPagesWithoutGaps) {
  Router router([](const Call&) { return std::make_shared<const Caller>(); });
  std::vector<std::pair<size_t, size_t>> seen;
  router.add("GET", "/", Scope::anyone, no_body(), [&](const Call& call) {
    const Slice slice = slice_of(call, 45, 20);
    seen.emplace_back(slice.first, slice.end);
    return ServerResponse{.body = pager(slice, Address({}).with("q", "a")).markup()};
  });
  const auto ask = [&](const char* page) {
    ServerRequest request{.method = "GET", .path = "/"};
    if (*page != 0) request.query["page"] = page;
    return router.handle(request).body;
  };
  EXPECT_NE(ask("").find("/?q=a&amp;page=2"), std::string::npos);
  EXPECT_NE(ask("2").find("href=\"/?q=a\""), std::string::npos);
  EXPECT_EQ(ask("3").find("page=4"), std::string::npos);
  ask("999999");
  EXPECT_EQ(seen, (std::vector<std::pair<size_t, size_t>>{{0, 20}, {20, 40}, {40, 45}, {45, 45}}));
}

}  // namespace
}  // namespace flox::server
