#include "server/api/router.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::server {
namespace {

class RouterTest : public testing::Test {
 protected:
  void add(const std::string& method, const std::string& path, Scope scope = Scope::anyone,
           RouteBody body = no_body()) {
    router_.add(method, path, scope, std::move(body), [path](const Call& call) {
      return ServerResponse{.body = path + " " + call.parameter("x")};
    });
  }
  std::string asked(const std::string& method, const std::string& path, const std::string& body = {}) {
    try {
      return router_.handle({.method = method, .path = path, .body = body}).body;
    } catch (const StatusError& error) {
      return std::to_string(error.status());
    } catch (const Error& error) {
      return to_string(error.kind());
    }
  }
  bool has_token_ = false;
  Router router_{[this](const Call& call) {
    if (call.route().scope != Scope::anyone && !has_token_) fail(ErrorKind::untrusted, "no");
    return std::make_shared<const Caller>();
  }};
};

TEST_F(RouterTest, a_text_goes_before_a_parameter_and_a_parameter_before_the_rest) {
  add("GET", "/a/{x...}");
  add("GET", "/a/{x}/c");
  add("GET", "/a/b/c");
  add("GET", "/a/{x}");
  EXPECT_EQ(asked("GET", "/a/b/c"), "/a/b/c ");
  EXPECT_EQ(asked("GET", "/a/z/c"), "/a/{x}/c z");
  EXPECT_EQ(asked("GET", "/a/z"), "/a/{x} z");
  EXPECT_EQ(asked("HEAD", "/a/z"), "/a/{x} z");
  EXPECT_EQ(asked("GET", "/a/z/c/d"), "/a/{x...} z/c/d");
  EXPECT_EQ(asked("GET", "/a/"), "/a/{x...} ");
  for (const char* path : {"/a", "", "/", "a/b", "//a/b", "/b/z"})
    EXPECT_EQ(asked("GET", path), "not found") << path;
}

TEST_F(RouterTest, without_permission_a_change_is_refused_whether_there_is_such_a_change_or_not) {
  add("GET", "/a/{x}");
  add("POST", "/a/{x}", Scope::publish, json_body());
  EXPECT_EQ(asked("POST", "/a/b"), "untrusted");
  EXPECT_EQ(asked("DELETE", "/a/b"), "untrusted");
  EXPECT_EQ(asked("POST", "/b"), "not found");
  has_token_ = true;
  EXPECT_EQ(asked("POST", "/a/b"), "/a/{x} b");
  EXPECT_EQ(asked("DELETE", "/a/b"), "not found");
}

TEST_F(RouterTest, a_body_over_the_limit_of_its_route_is_refused_by_its_head) {
  add("POST", "/small", Scope::anyone, json_body(10));
  EXPECT_EQ(asked("POST", "/small", "0123456789"), "/small ");
  EXPECT_EQ(asked("POST", "/small", "0123456789a"), "413");
  EXPECT_NO_THROW(router_.admit({.method = "POST", .path = "/small", .headers = {{"content-length", "10"}}}));
  EXPECT_THROW(router_.admit({.method = "POST", .path = "/small", .headers = {{"content-length", "11"}}}),
               StatusError);
}

TEST_F(RouterTest, a_route_is_declared_once_and_a_PUT_is_an_upload) {
  add("GET", "/a");
  EXPECT_THROW(add("GET", "/a"), Error);
  EXPECT_THROW(add("PUT", "/b"), Error);
  EXPECT_THROW(add("POST", "/b", Scope::publish, upload_body([](const Call&) { return nullptr; })), Error);
  EXPECT_NO_THROW(add("POST", "/a"));
}

}  // namespace
}  // namespace flox::server
