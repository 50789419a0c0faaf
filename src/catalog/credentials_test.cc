#include "catalog/credentials.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::catalog {
namespace {

class CredentialsTest : public testing::Test {
 protected:
  std::string token(const std::string& url) {
    const Credentials all = Credentials::load(file_);
    const Credential* found = all.find(url);
    return found == nullptr ? "" : found->token.reveal();
  }
  void put(const std::string& url, const std::string& token) {
    Credentials::put(file_, url, {.token = Secret(token), .user = "ada@example.com", .expires_at = {}});
  }
  TempDir dir_;
  fs::path file_ = dir_.path() / "flox" / "credentials.json";
};

TEST_F(CredentialsTest, each_catalog_has_its_own_however_its_url_is_written) {
  EXPECT_EQ(token("http://one"), "");
  put("http://one/", "first");
  put("http://two", "second");
  put("http://one", "third");
  EXPECT_EQ(token("http://me:secret@one//"), "third");
  EXPECT_EQ(token("http://two/"), "second");
  EXPECT_TRUE(Credentials::remove(file_, "http://one/"));
  EXPECT_FALSE(Credentials::remove(file_, "http://one"));
  EXPECT_EQ(token("http://one"), "");
  EXPECT_EQ(token("http://two"), "second");
}

TEST_F(CredentialsTest, the_file_is_its_users_alone_and_refused_when_others_may_read_it) {
  put("http://one", "secret");
  EXPECT_EQ(fs::status(file_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(fs::status(file_.parent_path()).permissions(), fs::perms::owner_all);
  fs::permissions(file_, fs::perms::group_read, fs::perm_options::add);
  EXPECT_THROW(token("http://one"), Error);
}

TEST_F(CredentialsTest, a_damaged_file_is_refused_and_stays_as_it_is) {
  put("http://one", "secret");
  for (const char* text : {"{", "[]", R"({"catalogs":[]})", R"({"catalogs":{"http://one":{}}})"}) {
    write_file(file_, text, 0600);
    EXPECT_THROW(token("http://one"), Error) << text;
    EXPECT_THROW(put("http://two", "x"), Error) << text;
    EXPECT_EQ(read_file(file_), text);
  }
}

TEST_F(CredentialsTest, two_logins_at_the_same_time_are_both_kept) {
  std::thread other([&] {
    for (int i = 0; i < 20; ++i) put("http://other-" + std::to_string(i), "x");
  });
  for (int i = 0; i < 20; ++i) put("http://one-" + std::to_string(i), "x");
  other.join();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(token("http://other-" + std::to_string(i)), "x");
    EXPECT_EQ(token("http://one-" + std::to_string(i)), "x");
  }
}

}  // namespace
}  // namespace flox::catalog
