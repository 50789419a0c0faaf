#include "store/cache/nar_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::store {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string base = "https://cache.example.org:8443/tenant/a";

void expect_refused(const std::string& url, const std::vector<std::string>& others = {}) {
  try {
    const std::string resolved = resolve_nar_url(base, url, others);
    ADD_FAILURE() << url << " became " << resolved;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::untrusted) << url;
  }
}

TEST(NarUrl, a_relative_one_is_below_the_cache) {
  EXPECT_EQ(resolve_nar_url(base, "nar/1abc.nar.zst"), base + "/nar/1abc.nar.zst");
  EXPECT_EQ(resolve_nar_url(base, "nar/1abc.nar?hash=x&y=1:2/.."), base + "/nar/1abc.nar?hash=x&y=1:2/..");
  EXPECT_EQ(resolve_nar_url(base, "nar/a%2Bb%20c.nar"), base + "/nar/a%2Bb%20c.nar");
  EXPECT_EQ(resolve_nar_url(base, "..nar/...x"), base + "/..nar/...x");
}

TEST(NarUrl, an_absolute_one_has_the_cache_s_origin) {
  EXPECT_EQ(resolve_nar_url(base, "https://cache.example.org:8443/nar/x"),
            "https://cache.example.org:8443/nar/x");
  EXPECT_EQ(resolve_nar_url("https://cache.example.org", "https://CACHE.example.org:443/x"),
            "https://cache.example.org/x");
  for (const char* elsewhere :
       {"http://cache.example.org:8443/x", "https://cache.example.org/x",
        "https://cache.example.org.evil.org:8443/x", "https://cache.example.org:8443@evil.org/x",
        "https://evil.org:8443/x", "http://169.254.169.254/latest/meta-data", "http://[fe80::1]/x",
        "http://127.0.0.1/x", "http://2852039166/x"})
    expect_refused(elsewhere);
}

TEST(NarUrl, a_server_that_is_configured_beside_the_cache_is_good_below_its_path) {
  const std::vector<std::string> others{"https://cdn.example.org/a"};
  EXPECT_EQ(resolve_nar_url(base, "https://cdn.example.org/a/nar/x", others),
            "https://cdn.example.org/a/nar/x");
  expect_refused("https://cdn.example.org/ab/x", others);
  expect_refused("https://cdn.example.org/b/x", others);
  expect_refused("http://cdn.example.org/a/x", others);
  expect_refused("https://cdn.example.org/a/../b/x", others);
}

TEST(NarUrl, what_could_lead_out_of_the_cache_is_refused) {
  for (const char* odd : {"//evil.org/x",
                          "/nar/x",
                          "///x",
                          "file:///etc/passwd",
                          "ftp://cache.example.org/x",
                          "gopher:x",
                          "HTTP:x",
                          "javascript:1",
                          "..",
                          "../x",
                          "nar/../../x",
                          "nar/..",
                          "nar/./x",
                          "nar//x",
                          "nar/",
                          "",
                          "?x",
                          "%2e%2e/x",
                          "nar/%2E%2e/x",
                          "nar/.%2e/x",
                          "nar/%252e%252e/x",
                          "nar/%25252e%25252e/x",
                          "nar/a%2f..%2f..%2fx",
                          "nar/a%5c..%5cx",
                          "nar\\..\\x",
                          "nar/x#y",
                          "nar/x y",
                          "nar/x\r\nHost: evil",
                          "nar/x\n",
                          "nar/%0d%0aHost:x",
                          "nar/%00",
                          "nar/\x80",
                          "https://user@cache.example.org:8443/x",
                          "https:///x",
                          "https://cache.example.org:8443/a/../b",
                          "https://cache.example.org:8443/%2e%2e/b",
                          "https:\\\\evil.org/x"})
    expect_refused(odd);
  expect_refused("nar/" + std::string(3000, 'x'));
}

TEST(NarUrl, what_is_refused_is_quoted_without_secrets_and_escape_sequences) {
  const auto message = [](const std::string& url) -> std::string {
    try {
      resolve_nar_url(base, url);
    } catch (const Error& error) {
      return error.what();
    }
    return "it was accepted";
  };
  EXPECT_THAT(message("https://me:s3cret@cache.example.org:8443/x"), Not(HasSubstr("s3cret")));
  EXPECT_THAT(message("https://evil.org/x?token=s3cret"), Not(HasSubstr("s3cret")));
  EXPECT_THAT(message("nar/\033[31mx"), Not(HasSubstr("\033")));
}

TEST(NarUrl, in_a_directory_only_relative_ones_are_files) {
  EXPECT_EQ(resolve_nar_path("nar/1abc.nar.zst"), "nar/1abc.nar.zst");
  for (const char* odd : {"/etc/passwd", "file:///etc/passwd", "../x", "nar/../../x", "nar/%2e%2e/x",
                          "http://host/x", "nar/x?/../../x"})
    EXPECT_THROW(resolve_nar_path(odd), Error) << odd;
}

}  // namespace
}  // namespace flox::store
