#include "store/cache/cache_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"
#include "store/cache/binary_cache.h"

namespace flox::store {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string error_of(const std::string& url) {
  try {
    CacheUrl::parse(url);
  } catch (const Error& error) {
    return std::string(error.what()) + error.advice();
  }
  return "no error";
}

TEST(CacheUrl, a_login_is_no_part_of_what_messages_show) {
  const CacheUrl url = CacheUrl::parse("https://me:s3cret@cache.example.org/x?priority=3");
  EXPECT_EQ(url.text, "https://cache.example.org/x");
  EXPECT_EQ(url.rest, "cache.example.org/x");
  EXPECT_EQ(url.login->password.reveal(), "s3cret");
  EXPECT_EQ(BinaryCache::open("https://me:s3cret@cache.example.org/x")->url(), "https://cache.example.org/x");
}

TEST(CacheUrl, no_error_quotes_a_login) {
  for (const char* url : {"https://me:s3cret@cache.example.org?odd=1", "https://me:s3cret@h?priority=x",
                          "ftp://me:s3cret@h/", "https://me:s3cret@/", "https://me:s3cret@h:99999/",
                          "https://me:s3cr/s3cret@h/", "s3://me:s3cret@bucket", "file:///me:s3cret@h?x=1"})
    if (!std::string_view(url).starts_with("file")) {
      EXPECT_THAT(error_of(url), Not(HasSubstr("s3cret"))) << url;
      EXPECT_NE(error_of(url), "no error") << url;
    }
}

TEST(CacheUrl, names_where_else_nar_files_may_be) {
  EXPECT_EQ(CacheUrl::parse("https://h?nar-url=https%3A%2F%2Fcdn.example.org/nar").nar_urls.at(0),
            "https://cdn.example.org/nar");
  EXPECT_NE(error_of("https://h?nar-url=cdn"), "no error");
}

TEST(BinaryCache, a_token_file_that_others_may_read_is_refused_when_the_cache_is_opened) {
  const TempDir temp;
  const std::string file = temp.path() / "token";
  write_file(file, "s3cret\n", 0644);
  const std::string url = "http://127.0.0.1:1?token-file=" + file;
  try {
    BinaryCache::open(url);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::untrusted);
    EXPECT_THAT(error.advice(), HasSubstr("chmod 600"));
  }
  fs::permissions(file, fs::perms::owner_read);
  BinaryCache::open(url);
}

TEST(BinaryCache, small_files_are_small) {
  EXPECT_EQ(BinaryCache::limit_of("nix-cache-info"), 4096U);
  EXPECT_EQ(BinaryCache::limit_of("00000000000000000000000000000000.narinfo"), 256U * 1024);
}

}  // namespace
}  // namespace flox::store
