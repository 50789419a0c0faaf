// Uploads and the limits of what a client may send. http_server_test.cc has the clients that mean no good.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"
#include "base/testing/local_http.h"

namespace flox {
namespace {

using testing::HasSubstr;

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

}  // namespace
}  // namespace flox
