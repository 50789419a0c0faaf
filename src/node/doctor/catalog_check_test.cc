#include "node/doctor/catalog_check.h"

#include <gtest/gtest.h>

#include "base/testing/local_http.h"

namespace flox::node {
namespace {

TEST(CatalogCheck, shows_what_a_catalog_says_is_away_and_nothing_else_of_what_it_sends) {
  EXPECT_EQ(what_is_away("database: ok\nfiles: ok\n"), "");
  EXPECT_EQ(what_is_away("database: unavailable\nfiles: ok\ncatalog: stopping\n"),
            "database: unavailable, catalog: stopping");
  EXPECT_EQ(what_is_away("\x1b[31mred"), "\uFFFD[31mred");
  EXPECT_LE(what_is_away(std::string(100'000, 'x')).size(), 310u);
}

class CatalogCheckTest : public testing::Test {
 protected:
  Finding finding(int status, const std::string& body) {
    HttpServer server({}, [&](const ServerRequest& request) {
      return request.path == "/readyz" ? ServerResponse{.status = status, .body = body}
                                       : ServerResponse{.status = 404};
    });
    Config config;
    config.catalog_url = url(server, "/");
    const auto findings = check_catalog(config);
    return findings.at(0);
  }
};

TEST_F(CatalogCheckTest, tells_a_catalog_that_works_from_one_of_which_a_part_is_away_and_from_no_catalog) {
  EXPECT_EQ(finding(200, "database: ok\nfiles: ok\n").severity, Severity::ok);
  const Finding half = finding(503, "database: unavailable\nfiles: ok\n");
  EXPECT_EQ(half.severity, Severity::warning);
  EXPECT_NE(half.text.find("is not ready: database: unavailable"), std::string::npos) << half.text;
  EXPECT_NE(finding(404, "").advice.find("catalog_url"), std::string::npos);
  Config none;
  EXPECT_TRUE(check_catalog(none).empty());
  none.catalog_url = "http://127.0.0.1:1";
  EXPECT_NE(check_catalog(none).at(0).text.find("does not answer"), std::string::npos);
}

}  // namespace
}  // namespace flox::node
