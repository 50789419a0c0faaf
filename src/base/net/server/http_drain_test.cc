// How HttpServer ends without a client noticing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/net/server/http_server.h"
#include "base/testing/raw_http.h"

namespace flox {
namespace {

using std::chrono::milliseconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr auto long_enough = std::chrono::seconds(20);
constexpr std::string_view plain_get = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

ServerResponse path_of(const ServerRequest& request) { return {.body = request.path + request.body}; }

bool can_connect(const HttpServer& server) {
  try {
    const Raw raw(server);
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(HttpServerDrain, first_serves_on_and_makes_each_answer_its_connections_last) {
  HttpServer server({.fixed = {{"/healthz", "ok\n"}}}, path_of);
  Raw idle(server);
  EXPECT_THAT(idle.say(plain_get).hear("/x"), Not(HasSubstr("Connection: close")));
  server.begin_drain();
  EXPECT_THAT(idle.say(plain_get).hear(), HasSubstr("Connection: close"));
  Raw late(server);
  EXPECT_THAT(late.say(plain_get).hear(), testing::AllOf(HasSubstr("Connection: close"), EndsWith("/x")));
  Raw probe(server);
  EXPECT_THAT(probe.say("GET /healthz HTTP/1.1\r\n\r\n").hear(), HasSubstr("Connection: close"));
}

TEST(HttpServerDrain, then_waits_for_answers_and_uploads_in_progress_and_for_no_idle_connection) {
  Gate gate;
  HttpServer server({.threads = 1}, [&](const ServerRequest& request) {
    if (request.path == "/slow") gate.pass();
    return path_of(request);
  });
  Raw idle(server);
  idle.say(plain_get).hear("/x");
  Raw slow(server);
  slow.say("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  gate.wait_for(1);
  Raw sending(server);
  sending.say("POST /sent HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
  EXPECT_EQ(server.drain(milliseconds(50)), 2u);
  EXPECT_EQ(idle.hear(), "");
  EXPECT_FALSE(can_connect(server));
  sending.say("def");
  gate.let_go();
  EXPECT_THAT(slow.hear(),
              testing::AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Connection: close"), EndsWith("/slow")));
  EXPECT_THAT(sending.hear(), EndsWith("/sentabcdef"));
  slow.hang_up();
  sending.hang_up();
  EXPECT_EQ(server.drain(long_enough), 0u);
}

TEST(HttpServerDrain, lets_a_transfer_that_began_before_go_to_its_end) {
  Gate gate;
  HttpServer server({}, [&](const ServerRequest&) {
    return ServerResponse{.stream =
                              [&](const ByteSink& sink) {
                                sink("first ");
                                gate.pass();
                                sink("last");
                              },
                          .stream_size = 10};
  });
  Raw reader(server);
  reader.say(plain_get);
  gate.wait_for(1);
  EXPECT_EQ(server.drain(milliseconds(0)), 1u);
  gate.let_go();
  // The head was sent before, so that it promises a further request; the connection ends all the same.
  EXPECT_THAT(reader.hear(), EndsWith("first last"));
  reader.hang_up();
  EXPECT_EQ(server.drain(long_enough), 0u);
}

TEST(HttpServerDrain, answers_who_has_connected_already_and_does_not_wait_for_those_who_say_nothing) {
  HttpServer server({}, path_of);
  Raw silent(server);
  Raw asking(server);
  asking.say(plain_get);
  server.drain(milliseconds(0));
  EXPECT_THAT(asking.hear(), EndsWith("/x"));
  asking.hang_up();
  EXPECT_EQ(server.drain(long_enough), 0u);
  EXPECT_EQ(silent.hear(), "");
}

TEST(HttpServerDrain, gives_up_a_client_that_never_ends_its_request_when_patience_is_over) {
  HttpServer server({}, path_of);
  Raw sending(server);
  sending.say("POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
  while (server.counters().connections == 0) std::this_thread::yield();
  EXPECT_EQ(server.drain(milliseconds(50)), 1u);
}

TEST(HttpServerDrain, of_a_server_without_clients_is_over_at_once) {
  HttpServer server({}, path_of);
  EXPECT_EQ(server.drain(long_enough), 0u);
  EXPECT_EQ(server.drain(long_enough), 0u);
}

}  // namespace
}  // namespace flox
