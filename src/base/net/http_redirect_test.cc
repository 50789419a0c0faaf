// Redirects, what goes along with them, and where they may lead. The servers are on loopback, so that what is
// refused here is refused by a rule and not because nobody answers.
#include "base/net/http_redirect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <mutex>

#include "base/net/http_pool.h"
#include "base/net/problem.h"
#include "base/net/server/http_server.h"
#include "testing/error_of.h"

namespace flox {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr BodyLimit small_body(1 << 20);

// A server that redirects "/to?URL" and answers "/here" with the request's headers.
class Redirecting {
 public:
  Redirecting()
      : server_({}, [this](const ServerRequest& request) -> ServerResponse {
          const std::lock_guard lock(mutex_);
          ++requests_;
          if (request.path == "/here") {
            std::string seen;
            for (const auto& [name, value] : request.headers) seen += name + "=" + value + "\n";
            return {.body = seen};
          }
          if (request.path == "/loop") return moved(302, "/loop");
          if (request.path == "/problem")
            return {.status = 404,
                    .content_type = "application/problem+json",
                    .body = R"({"title":"t","detail":"the \u001b[31mwords of )" + std::string(500, 'x') +
                            R"("})"};
          return moved(request.method == "GET" ? 302 : 307, target_);
        }) {}
  std::string url(const std::string& path) const {
    return fmt::format("http://127.0.0.1:{}{}", server_.port(), path);
  }
  Redirecting& leads_to(std::string target) {
    const std::lock_guard lock(mutex_);
    target_ = std::move(target);
    return *this;
  }
  int requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  static ServerResponse moved(int status, const std::string& location) {
    ServerResponse response{.status = status};
    response.headers["Location"] = location;
    return response;
  }

  std::mutex mutex_;
  std::string target_;
  int requests_ = 0;
  HttpServer server_;
};

HttpRequest with_secrets(std::string url) {
  return {.url = std::move(url),
          .headers = {{"X-Amz-Security-Token", "s3cret"},
                      {"X-Own", "s3cret"},
                      {"Cookie", "s3cret"},
                      {"Range", "bytes=0-"}},
          .bearer = Secret("s3cret"),
          .max_body = small_body};
}

std::string through_pool(HttpRequest request) {
  HttpPool pool;
  const auto transfer = pool.start(std::move(request));
  std::string all;
  for (std::string piece; transfer->read(piece);) all += piece;
  return all;
}

// The message of a redirect that is refused.
std::string refusal_of(const std::function<void()>& call) { return error_of(call, ErrorKind::untrusted); }

TEST(Redirect, within_an_origin_takes_everything_along) {
  Redirecting server;
  server.leads_to("/here");
  for (const std::string& seen : {HttpClient().send(with_secrets(server.url("/to"))).body,
                                  through_pool(with_secrets(server.url("/to")))}) {
    EXPECT_THAT(seen, HasSubstr("authorization=Bearer s3cret"));
    EXPECT_THAT(seen, HasSubstr("x-own=s3cret"));
  }
}

TEST(Redirect, to_another_origin_takes_no_secret_along) {
  Redirecting server, other;
  server.leads_to(other.url("/here"));
  for (const std::string& seen : {HttpClient().send(with_secrets(server.url("/to"))).body,
                                  through_pool(with_secrets(server.url("/to")))}) {
    EXPECT_THAT(seen, HasSubstr("range=bytes=0-"));
    EXPECT_THAT(seen, Not(HasSubstr("s3cret")));
    EXPECT_THAT(seen, Not(HasSubstr("authorization")));
  }
  HttpRequest request{.url = server.url("/to"),
                      .login = Login{.user = "me", .password = Secret("s3cret")},
                      .max_body = small_body};
  EXPECT_THAT(HttpClient().send(request).body, Not(HasSubstr("authorization")));
  EXPECT_TRUE(HttpClient().send(request).is_foreign);
}

TEST(Redirect, back_to_the_first_origin_brings_no_secret_back) {
  Redirecting server, other;
  server.leads_to(other.url("/back"));
  other.leads_to(server.url("/here"));
  EXPECT_THAT(HttpClient().send(with_secrets(server.url("/to"))).body, Not(HasSubstr("s3cret")));
}

TEST(Redirect, of_other_methods_is_an_answer) {
  Redirecting server, other;
  server.leads_to(other.url("/here"));
  for (const char* method : {"POST", "PUT", "DELETE"})
    EXPECT_EQ(HttpClient()
                  .send({.method = method, .url = server.url("/to"), .body = "x", .max_body = small_body})
                  .status,
              307);
  EXPECT_EQ(other.requests(), 0);
}

TEST(Redirect, a_loop_ends) {
  Redirecting server;
  EXPECT_THAT(refusal_of([&] { HttpClient().send({.url = server.url("/loop"), .max_body = small_body}); }),
              HasSubstr("redirects more than 5 times"));
  EXPECT_EQ(server.requests(), 6);
  EXPECT_THAT(refusal_of([&] { through_pool({.url = server.url("/loop"), .max_body = small_body}); }),
              HasSubstr("redirects more than 5 times"));
}

TEST(Redirect, to_link_local_addresses_and_with_a_login_is_refused) {
  Redirecting server;
  for (const char* target : {"http://169.254.169.254/latest/meta-data/", "http://0xa9fea9fe/",
                             "http://2852039166/", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/",
                             "http://[fd00:ec2::254]/", "http://100.100.100.200/", "//169.254.169.254/x"}) {
    server.leads_to(target);
    EXPECT_THAT(refusal_of([&] { HttpClient().send({.url = server.url("/to"), .max_body = small_body}); }),
                HasSubstr("link-local"))
        << target;
    EXPECT_THAT(refusal_of([&] { through_pool({.url = server.url("/to"), .max_body = small_body}); }),
                HasSubstr("link-local"))
        << target;
  }
  server.leads_to("http://me:s3cret@127.0.0.1:1/");
  const std::string message =
      refusal_of([&] { HttpClient().send({.url = server.url("/to"), .max_body = small_body}); });
  EXPECT_THAT(message, HasSubstr("user or password"));
  EXPECT_THAT(message, Not(HasSubstr("s3cret")));
}

TEST(Redirect, to_a_file_is_none) {
  Redirecting server;
  for (const char* target : {"file:///etc/passwd", "gopher://127.0.0.1/x", "ftp://127.0.0.1/x"}) {
    server.leads_to(target);
    try {
      EXPECT_EQ(HttpClient().send({.url = server.url("/to"), .max_body = small_body}).status, 302) << target;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("neither http nor https")) << target;
    }
  }
}

TEST(Redirect, what_a_stranger_says_about_a_failure_is_not_repeated) {
  Redirecting server, other;
  const Problem own = problem_of(HttpClient().send({.url = other.url("/problem"), .max_body = small_body}));
  EXPECT_THAT(own.detail, HasSubstr("words of"));
  EXPECT_THAT(own.detail, Not(HasSubstr("\033")));
  EXPECT_LT(own.detail.size(), 320U);
  server.leads_to(other.url("/problem"));
  const HttpResponse answer = HttpClient().send({.url = server.url("/to"), .max_body = small_body});
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(problem_of(answer).detail, "");
}

TEST(Proxy, is_what_the_environment_names_and_does_not_exempt) {
  for (const char* name :
       {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"})
    ::unsetenv(name);
  const auto of = [](const char* url) { return proxy_for(HttpUrl::parse(url)); };
  EXPECT_EQ(of("http://h/"), "");
  ::setenv("http_proxy", "http://p:1", 1);
  EXPECT_EQ(of("http://h/"), "http://p:1");
  EXPECT_EQ(of("https://h/"), "");
  ::setenv("all_proxy", "http://p:2", 1);
  EXPECT_EQ(of("https://h/"), "http://p:2");
  ::setenv("no_proxy", "h, .example.org,10.0.0.0/8 [fd00::1]", 1);
  for (const char* exempt :
       {"http://h/", "http://a.example.org/", "http://example.org/", "http://10.1.2.3/", "http://[fd00::1]/"})
    EXPECT_EQ(of(exempt), "") << exempt;
  for (const char* other : {"http://hh/", "http://badexample.org/", "http://11.1.2.3/", "http://h.org/"})
    EXPECT_EQ(of(other), "http://p:1") << other;
  for (const char* name : {"http_proxy", "all_proxy", "no_proxy"}) ::unsetenv(name);
}

}  // namespace
}  // namespace flox
