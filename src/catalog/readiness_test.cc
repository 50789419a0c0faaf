#include "catalog/readiness.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/testing/local_http.h"

namespace flox::catalog {
namespace {

TEST(Readiness, shows_what_a_catalog_says_is_away_and_nothing_else_of_what_it_sends) {
  EXPECT_EQ(what_is_away("database: ok\nfiles: ok\n"), "");
  EXPECT_EQ(what_is_away("database: unavailable\nfiles: ok\ncatalog: stopping\n"),
            "database: unavailable, catalog: stopping");
  EXPECT_EQ(what_is_away("\x1b[31mred"), "\uFFFD[31mred");
  EXPECT_LE(what_is_away(std::string(100'000, 'x')).size(), 310u);
}

TEST(Readiness, tells_a_catalog_that_works_from_one_of_which_a_part_is_away_and_from_none) {
  const auto of = [](int status, const std::string& body) {
    const HttpServer server({}, [&](const ServerRequest& request) {
      return request.path == "/readyz" ? ServerResponse{.status = status, .body = body}
                                       : ServerResponse{.status = 404};
    });
    return ask_readiness(url(server, "/"), std::chrono::seconds(20));
  };
  EXPECT_TRUE(of(200, "database: ok\nfiles: ok\n").is_ready());
  const Readiness half = of(503, "database: unavailable\nfiles: ok\n");
  EXPECT_FALSE(half.is_ready());
  EXPECT_EQ(half.away, "database: unavailable");
  EXPECT_EQ(of(404, "a page of something else").away, "");
  EXPECT_THROW(ask_readiness("http://127.0.0.1:1", std::chrono::seconds(20)), Error);
}

}  // namespace
}  // namespace flox::catalog
