#include "base/net/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/testing/local_http.h"

namespace flox {
namespace {

using testing::HasSubstr;

TEST(Http, a_request_reaches_the_handler_and_its_answer_comes_back) {
  HttpServer server({}, [](const ServerRequest& request) {
    return ServerResponse{.body = request.method + " " + request.path + " q=" + request.query.at("q") + " " +
                                  request.body};
  });
  HttpClient client;
  HttpResponse response =
      client.send({.method = "POST", .url = url(server, "/a%20b?q=x+y"), .body = "hello", .max_body = limit});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "POST /a b q=x y hello");
}

TEST(Http, nobody_listening_is_unavailable_and_names_the_url) {
  try {
    HttpClient().send({.url = "http://127.0.0.1:1/x", .max_body = limit});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_THAT(error.what(), HasSubstr("http://127.0.0.1:1/x"));
  }
}

TEST(Url, encoding_goes_there_and_back) {
  EXPECT_EQ(url_encode("a b/ü"), "a%20b%2F%C3%BC");
  EXPECT_EQ(url_decode(url_encode("a+b/%ü")), "a+b/%ü");
  EXPECT_EQ(url_decode("%zz%4"), "%zz%4");
}

}  // namespace
}  // namespace flox
