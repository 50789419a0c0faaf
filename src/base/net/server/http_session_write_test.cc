// Answers: errors, and bodies whose size is not known before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/testing/local_http.h"

namespace flox {
namespace {

using testing::HasSubstr;

TEST(Http, a_handler_error_is_a_problem_document) {
  HttpServer server(
      {}, [](const ServerRequest&) -> ServerResponse { fail(ErrorKind::not_found, "no package web"); });
  HttpResponse response = HttpClient().send({.url = url(server, "/"), .max_body = limit});
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.headers["content-type"], "application/problem+json");
  EXPECT_THAT(response.body, HasSubstr("no package web"));
}

TEST(Http, a_body_of_unknown_size_comes_whole_and_the_connection_goes_on) {
  HttpServer server({}, [&](const ServerRequest&) {
    return ServerResponse{.stream = [](const ByteSink& sink) {
      for (int i = 0; i < 1000; ++i) sink(std::string(static_cast<size_t>(i), 'x'));
    }};
  });
  HttpClient client;
  for (int time = 0; time < 3; ++time) {
    const HttpResponse response = client.send({.url = url(server, "/"), .max_body = limit});
    EXPECT_EQ(response.body.size(), 499'500u);
    EXPECT_EQ(response.headers.at("transfer-encoding"), "chunked");
  }
}

TEST(Http, a_body_of_unknown_size_that_fails_in_the_middle_is_a_broken_transfer) {
  HttpServer server({}, [&](const ServerRequest&) {
    return ServerResponse{.stream = [](const ByteSink& sink) {
      sink("beginning");
      fail(ErrorKind::internal, "no more");
    }};
  });
  EXPECT_THROW(HttpClient().send({.url = url(server, "/"), .max_body = limit}), Error);
}

}  // namespace
}  // namespace flox
