#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/net/server/http_server.h"
#include "base/os/file.h"

namespace flox {
namespace {

constexpr BodyLimit limit(64 << 20);

using testing::HasSubstr;

std::string url(const HttpServer& server, std::string_view path) {
  return fmt::format("http://127.0.0.1:{}{}", server.port(), path);
}

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

TEST(Http, a_handler_error_is_a_problem_document) {
  HttpServer server(
      {}, [](const ServerRequest&) -> ServerResponse { fail(ErrorKind::not_found, "no package web"); });
  HttpResponse response = HttpClient().send({.url = url(server, "/"), .max_body = limit});
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.headers["content-type"], "application/problem+json");
  EXPECT_THAT(response.body, HasSubstr("no package web"));
}

TEST(Http, an_uploaded_file_arrives_as_a_file_and_a_served_file_is_streamed) {
  TempDir dir;
  HttpServer server({.upload_dir = dir.path()}, [&](const ServerRequest& request) {
    if (request.method == "PUT") fs::rename(request.body_file, dir.path() / "kept");
    return request.method == "PUT" ? ServerResponse{.status = 201}
                                   : ServerResponse{.body_file = dir.path() / "kept"};
  });
  std::string big(3 << 20, 'z');
  write_file(dir.path() / "source", big);
  HttpClient client;
  EXPECT_EQ(client
                .send({.method = "PUT",
                       .url = url(server, "/f"),
                       .upload_file = dir.path() / "source",
                       .max_body = limit})
                .status,
            201);
  std::string got;
  HttpResponse response = client.stream({.url = url(server, "/f"), .max_body = limit},
                                        [&](std::string_view piece) { got += piece; });
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(got, big);
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

TEST(Http, nobody_listening_is_unavailable_and_names_the_url) {
  try {
    HttpClient().send({.url = "http://127.0.0.1:1/x", .max_body = limit});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_THAT(error.what(), HasSubstr("http://127.0.0.1:1/x"));
  }
}

TEST(Http, a_body_over_the_limit_is_refused) {
  HttpServer server({.max_body = 10}, [](const ServerRequest&) { return ServerResponse{}; });
  EXPECT_EQ(
      HttpClient()
          .send({.method = "POST", .url = url(server, "/"), .body = std::string(100, 'x'), .max_body = limit})
          .status,
      413);
}

TEST(Http, an_upload_over_the_limit_is_refused_with_an_answer) {
  TempDir dir;
  HttpServer server({.max_upload = 10, .upload_dir = dir.path()},
                    [](const ServerRequest&) { return ServerResponse{}; });
  write_file(dir.path() / "source", std::string(3 << 20, 'x'));
  HttpResponse response = HttpClient().send(
      {.method = "PUT", .url = url(server, "/f"), .upload_file = dir.path() / "source", .max_body = limit});
  EXPECT_EQ(response.status, 413);
  EXPECT_THAT(response.body, HasSubstr("over 10 bytes"));
}

TEST(Http, an_upload_that_is_not_admitted_is_answered_unread) {
  TempDir dir;
  bool handled = false;
  HttpServer server({.upload_dir = dir.path(),
                     .admit =
                         [](const ServerRequest& head) {
                           if (head.path == "/closed") fail(ErrorKind::untrusted, "no");
                         }},
                    [&](const ServerRequest&) {
                      handled = true;
                      return ServerResponse{.status = 201};
                    });
  fs::create_directories(dir.path() / "source");
  fs::path source = dir.path() / "source" / "file";
  write_file(source, std::string(30 << 20, 'x'));
  HttpClient client;
  EXPECT_EQ(
      client.send({.method = "PUT", .url = url(server, "/closed"), .upload_file = source, .max_body = limit})
          .status,
      403);
  EXPECT_FALSE(handled);
  EXPECT_EQ(
      client.send({.method = "PUT", .url = url(server, "/open"), .upload_file = source, .max_body = limit})
          .status,
      201);
}

TEST(Url, encoding_goes_there_and_back) {
  EXPECT_EQ(url_encode("a b/ü"), "a%20b%2F%C3%BC");
  EXPECT_EQ(url_decode(url_encode("a+b/%ü")), "a+b/%ü");
  EXPECT_EQ(url_decode("%zz%4"), "%zz%4");
}

}  // namespace
}  // namespace flox
