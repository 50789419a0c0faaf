#include "server/identity/page_cookie.h"

#include <gtest/gtest.h>

namespace flox::server {
namespace {

ServerRequest at(std::string path, std::string cookie) {
  return {.method = "GET", .path = std::move(path), .headers = {{"cookie", std::move(cookie)}}};
}
std::string secure_cookie(const ServerRequest& request) {
  return session_cookie(request, secure_cookie_name);
}

TEST(PageCookie, counts_at_pages_only) {
  EXPECT_EQ(secure_cookie(at("/", "__Host-flox-session=x")), "x");
  EXPECT_EQ(secure_cookie(at("/packages/web", "a=1; __Host-flox-session=x; b=2")), "x");
  for (const char* path : {"/api/v1/auth/whoami", "/cache/nar/x.nar", "/metrics", "/readyz"})
    EXPECT_EQ(secure_cookie(at(path, "__Host-flox-session=x")), "") << path;
  ServerRequest change = at("/packages/web", "__Host-flox-session=x");
  change.method = "POST";
  EXPECT_EQ(secure_cookie(change), "");
  change.path = "/logout";
  EXPECT_EQ(secure_cookie(change), "x");
}

TEST(PageCookie, that_a_neighbour_could_have_set_counts_nowhere) {
  EXPECT_EQ(secure_cookie(at("/", "flox-session=x")), "");
  EXPECT_EQ(session_cookie(at("/", "flox-session=x"), plain_cookie_name), "x");
  EXPECT_EQ(session_cookie(at("/", "xflox-session=x; flox-session"), plain_cookie_name), "");
  EXPECT_EQ(session_cookie(at("/", "__Host-flox-session=x"), plain_cookie_name), "");
}

// A proxy on the same machine says "Host: 127.0.0.1:8590" to a catalog that browsers know by another name.
TEST(PageCookie, has_its_name_of_the_address_that_the_catalog_says_it_has) {
  for (const char* url : {"http://127.0.0.1:8590", "http://localhost/", "http://[::1]:8590"})
    EXPECT_EQ(cookie_name_for(url), plain_cookie_name) << url;
  for (const char* url : {"https://catalog.example.com", "https://127.0.0.1:8590",
                          "http://catalog.example.com", "http://127.0.0.1.example.com", "", "a b"})
    EXPECT_EQ(cookie_name_for(url), secure_cookie_name) << url;
}

TEST(PageCookie, makes_an_answer_personal_by_either_name) {
  EXPECT_TRUE(is_personal(at("/", "__Host-flox-session=x")));
  EXPECT_TRUE(is_personal(at("/", "flox-session=x")));
  EXPECT_FALSE(is_personal(at("/", "session=x")));
  EXPECT_FALSE(is_personal(at("/cache/nar/x.nar", "__Host-flox-session=x")));
}

TEST(PageCookie, of_a_login_that_waits_is_read_as_it_was_written_and_leads_nowhere_else) {
  const PendingLogin login{.login = CodeLogin::begin(), .to = "/packages/web?version=1.0"};
  const auto read = PendingLogin::parse(login.to_cookie());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->to, "/packages/web?version=1.0");
  EXPECT_TRUE(read->login.state.equals(login.login.state.reveal()));
  EXPECT_TRUE(read->login.verifier.equals(login.login.verifier.reveal()));
  EXPECT_EQ(read->login.nonce, login.login.nonce);
  const std::string cookie = login.to_cookie();
  for (const std::string& other :
       {std::string(), cookie.substr(1), cookie.substr(0, cookie.rfind('.')), cookie + "*",
        std::string("login...."), std::string("flox_0123456789ab_") + std::string(64, 'a')})
    EXPECT_FALSE(PendingLogin::parse(other)) << other;
  PendingLogin elsewhere = login;
  elsewhere.to = "//evil.example/";
  EXPECT_EQ(PendingLogin::parse(elsewhere.to_cookie())->to, "/");
}

TEST(LocalAddress, is_one_of_this_catalog) {
  EXPECT_EQ(local_address("/"), "/");
  EXPECT_EQ(local_address("/packages/c%2B%2B?version=1.0&system=x"),
            "/packages/c%2B%2B?version=1.0&system=x");
  for (const std::string& other :
       {std::string(""), std::string("https://evil.example/"), std::string("//evil.example"),
        std::string("/\\evil.example"), std::string("/a\r\nSet-Cookie: x"), std::string("/a b"),
        "/" + std::string(1000, 'a')})
    EXPECT_EQ(local_address(other), "/") << other;
}

}  // namespace
}  // namespace flox::server
