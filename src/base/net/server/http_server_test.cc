// HttpServer against clients that mean no good: requests are written byte by byte to a socket.
#include "base/net/server/http_server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/net/server/http_message.h"
#include "base/os/file.h"
#include "base/testing/raw_http.h"

namespace flox {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

ServerResponse echo(const ServerRequest& request) {
  return {.body = request.method + " " + request.path + " " + request.body};
}

std::string asked(const HttpServer& server, std::string_view request) {
  Raw raw(server);
  raw.say(request);
  return raw.hear();
}

TEST(HttpServerRequests, that_two_readers_could_understand_in_two_ways_are_refused) {
  const HttpServer server({}, echo);
  for (const char* request : {
           "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /%4 HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /a%0ab HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /a%7f HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /%ff HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /%c0%af HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /%ed%a0%80 HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /?q=%0 HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /?q=%00 HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET http://elsewhere/ HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET * HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nHost: g\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nX: a\x01b\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\na",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\na",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\na",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
           "chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
           "nonsense\r\n\r\n",
           "GET / HTTP/9.9\r\n\r\n",
       })
    EXPECT_THAT(asked(server, request), StartsWith("HTTP/1.1 400 ")) << request;
  EXPECT_THAT(
      asked(server, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
      StartsWith("HTTP/1.1 501 "));
}

TEST(HttpServerRequests, have_a_largest_head_target_and_number_of_fields) {
  const HttpServer server({}, echo);
  const auto with = [](const std::string& path, const std::string& fields) {
    return "GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + fields + "\r\n";
  };
  EXPECT_THAT(asked(server, with("/", "")), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(asked(server, with("/" + std::string(5000, 'a'), "")), StartsWith("HTTP/1.1 414 "));
  EXPECT_THAT(asked(server, with("/", "X: " + std::string(9000, 'a') + "\r\n")), StartsWith("HTTP/1.1 431 "));
  std::string many;
  for (int i = 0; i < 100; ++i) many += fmt::format("X{}: a\r\n", i);
  EXPECT_THAT(asked(server, with("/", many)), StartsWith("HTTP/1.1 431 "));
  std::string parameters = "/?";
  for (int i = 0; i < 100; ++i) parameters += fmt::format("x{}=a&", i);
  EXPECT_THAT(asked(server, with(parameters, "")), StartsWith("HTTP/1.1 400 "));
  // A head without an end is refused at its limit, not read on.
  Raw endless(server);
  endless.say("GET / HTTP/1.1\r\n");
  for (int i = 0; i < 100; ++i) endless.say("X: " + std::string(997, 'a') + "\r\n");
  EXPECT_THAT(endless.hear(), StartsWith("HTTP/1.1 431 "));
}

TEST(HttpServerRequests, have_no_larger_head_if_it_comes_line_by_line) {
  const HttpServer server({.idle_deadline = std::chrono::seconds(5)}, echo);
  // Beast takes away each line of which it has seen the next one's first byte: each piece ends with that.
  const std::string first = fmt::format("GET / HTTP/1.1\r\n{:a<1005}\r\nX", "X: ");
  const std::string line = fmt::format("{:a<1021}\r\nX", ": ");
  Raw endless(server);
  endless.say(first);
  for (int i = 0; i < 30 && !endless.readable(5); ++i) endless.say(line);
  EXPECT_THAT(endless.hear(), StartsWith("HTTP/1.1 431 "));
  EXPECT_EQ(server.counters().bad_requests_total, 1u);
}

TEST(HttpServerRequests, follow_each_other_on_one_connection_and_are_answered_in_order) {
  const HttpServer server({}, echo);
  EXPECT_THAT(
      asked(server,
            "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
            "POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            "2;ext=1\r\nde\r\n1\r\nf\r\n0\r\nTrailer: x\r\n\r\n"),
      testing::ContainsRegex("GET /1 (.|\r|\n)*POST /2 abc(.|\r|\n)*POST /3 def"));
  const std::string old = asked(server, "GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(old, HasSubstr("Connection: close"));
  EXPECT_THAT(old, HasSubstr("GET /old"));
}

TEST(HttpServerRequests, cannot_hide_endless_bytes_around_a_body) {
  const HttpServer server({}, echo);
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  Raw trailers(server);
  trailers.say(head + "0\r\n");
  for (int i = 0; i < 200; ++i) trailers.say(fmt::format("T{}: {}\r\n", i, std::string(1000, 'x')));
  EXPECT_THAT(trailers.hear(), StartsWith("HTTP/1.1 400 "));
  Raw extension(server);
  extension.say(head + "1;x=");
  for (int i = 0; i < 200; ++i) extension.say(std::string(1000, 'x'));
  EXPECT_THAT(extension.hear(), StartsWith("HTTP/1.1 400 "));
  Raw extensions(server);
  extensions.say(head);
  for (int i = 0; i < 200; ++i) extensions.say("1;x=" + std::string(1000, 'x') + "\r\na\r\n");
  EXPECT_THAT(extensions.hear(), StartsWith("HTTP/1.1 400 "));
}

TEST(HttpServerAnswers, never_tell_what_went_wrong_inside_nor_repeat_a_whole_request) {
  const HttpServer server({}, [](const ServerRequest& request) -> ServerResponse {
    if (request.path == "/internal") fail(ErrorKind::internal, "opening /var/lib/secret/place: no");
    if (request.path == "/unavailable") fail(ErrorKind::unavailable, "writing /var/lib/secret/place: no");
    if (request.path == "/foreign") throw std::runtime_error("[json.exception.type_error.302] secret");
    if (request.path == "/break") return {.headers = {{"X", "a\r\nSet-Cookie: secret"}}};
    fail(ErrorKind::invalid_input, "'{}' is not what is wanted", request.body);
  });
  for (const char* path : {"/internal", "/unavailable", "/foreign", "/break"})
    EXPECT_THAT(asked(server, fmt::format("GET {} HTTP/1.1\r\nConnection: close\r\n\r\n", path)),
                Not(HasSubstr("secret")))
        << path;
  const std::string body(100'000, 'x');
  EXPECT_LT(asked(server, fmt::format("POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}",
                                      body.size(), body))
                .size(),
            1500u);
}

TEST(HttpServerAnswers, of_fixed_paths_come_while_every_handler_is_busy) {
  Gate gate;
  HttpServer server({.threads = 2, .fixed = {{"/healthz", "ok\n"}}, .max_waiting = 4},
                    [&](const ServerRequest&) {
                      gate.pass();
                      return ServerResponse{};
                    });
  std::vector<std::unique_ptr<Raw>> busy;
  for (int i = 0; i < 4; ++i) {
    busy.push_back(std::make_unique<Raw>(server));
    busy.back()->say("GET / HTTP/1.1\r\n\r\n");
  }
  gate.wait_for(2);
  EXPECT_THAT(asked(server, "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"), HasSubstr("ok\n"));
  // Who comes when too many wait is told so. (Of the four, the last two may not have arrived yet.)
  std::string last;
  for (int i = 0; i < 10 && !last.starts_with("HTTP/1.1 503"); ++i) {
    Raw another(server);
    another.say("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    if (another.readable(500)) last = another.hear();
  }
  EXPECT_THAT(last, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(last, HasSubstr("Retry-After"));
  gate.let_go();
  for (auto& one : busy) EXPECT_THAT(one->hear("\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST(HttpServerAnswers, that_come_later_hold_no_thread_until_then) {
  std::mutex mutex;
  std::vector<std::function<void(ServerResponse)>> waiting;
  auto server = std::make_unique<HttpServer>(
      HttpServerOptions{.threads = 1, .max_waiting = 1}, [&](const ServerRequest& request) {
        if (request.path == "/now") return echo(request);
        return ServerResponse{.later = [&](std::function<void(ServerResponse)> answer) {
          const std::lock_guard lock(mutex);
          waiting.push_back(std::move(answer));
        }};
      });
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return waiting.size();
  };
  std::vector<std::unique_ptr<Raw>> clients;
  for (size_t i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<Raw>(*server));
    clients.back()->say("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    while (count() <= i) std::this_thread::yield();
    EXPECT_THAT(asked(*server, "GET /now HTTP/1.1\r\nConnection: close\r\n\r\n"), HasSubstr("GET /now"));
  }
  for (size_t i = 0; i < 10; ++i) waiting[i]({.body = fmt::format("answer {}\n", i)});
  for (size_t i = 0; i < 10; ++i) {
    // The connection goes on.
    clients[i]->say("GET /now HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(clients[i]->hear(), AllOf(HasSubstr(fmt::format("answer {}\n", i)), HasSubstr("GET /now")));
  }
  clients[10]->hang_up();
  waiting[10]({.body = "to nobody"});
  server.reset();
  for (size_t i = 11; i < 20; ++i) waiting[i]({.body = "too late"});
}

TEST(HttpServerAnswers, that_are_in_memory_come_while_every_handler_is_busy_if_they_are_allowed) {
  Gate gate;
  HttpServer server({.threads = 1,
                     .admit =
                         [](const ServerRequest& request) {
                           if (request.headers.contains("bad")) fail(ErrorKind::untrusted, "not you");
                         },
                     .at_once = [](const ServerRequest& request) -> std::optional<ServerResponse> {
                       if (request.path != "/known") return std::nullopt;
                       return ServerResponse{.body = "known\n"};
                     }},
                    [&](const ServerRequest& request) {
                      gate.pass();
                      return echo(request);
                    });
  Raw busy(server);
  busy.say("GET / HTTP/1.1\r\n\r\n");
  gate.wait_for(1);
  // Several on one connection, with the rest of the next request in the same packet.
  EXPECT_THAT(asked(server,
                    "GET /known HTTP/1.1\r\n\r\nHEAD /known HTTP/1.1\r\n\r\n"
                    "GET /known HTTP/1.1\r\nConnection: close\r\n\r\n"),
              testing::ContainsRegex("known\n(.|\r|\n)*Content-Length: 6\r\n\r\nHTTP(.|\r|\n)*known\n$"));
  EXPECT_THAT(asked(server, "GET /known HTTP/1.1\r\nBad: 1\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 403"));
  gate.let_go();
  EXPECT_THAT(busy.hear("\r\n\r\n"), StartsWith("HTTP/1.1 200"));
  // What changes something, or has a body, is for a handler.
  EXPECT_THAT(asked(server, "POST /known HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
              HasSubstr("POST /known"));
  EXPECT_THAT(asked(server, "GET /known HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab"),
              HasSubstr("GET /known ab"));
}

TEST(HttpServerLimits, a_client_that_is_slow_with_its_head_or_body_or_with_reading_is_given_up) {
  const std::string big(20 << 20, 'x');
  HttpServer server({.max_memory = 64 << 20,
                     .header_deadline = std::chrono::seconds(1),
                     .idle_deadline = std::chrono::seconds(1),
                     .stall_deadline = std::chrono::seconds(1)},
                    [&](const ServerRequest&) { return ServerResponse{.body = big}; });
  Raw silent(server);
  Raw head(server);
  head.say("GET / HTTP/1.1\r\n");
  Raw body(server);
  body.say("POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\nabc");
  Raw reader(server);
  reader.say("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(silent.hear(), "");
  EXPECT_EQ(head.hear(), "");
  EXPECT_EQ(body.hear(), "");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (server.counters().timed_out_total < 4 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_EQ(server.counters().timed_out_total, 4u);
  EXPECT_LT(reader.hear().size(), big.size());
}

TEST(HttpServerLimits, the_connection_that_waits_longest_makes_room_for_the_next) {
  HttpServer server({.max_connections = 8}, echo);
  std::vector<std::unique_ptr<Raw>> slow;
  for (int i = 0; i < 50; ++i) {
    slow.push_back(std::make_unique<Raw>(server));
    slow.back()->say("GET / HTTP/1.1\r\nX: ");
  }
  EXPECT_THAT(asked(server, "GET /still HTTP/1.1\r\nConnection: close\r\n\r\n"), HasSubstr("GET /still"));
  EXPECT_EQ(slow.front()->hear(), "");
  EXPECT_EQ(server.counters().evicted_total, 43u) << "one for each that came when there were 8";
  EXPECT_LE(server.counters().connections, 9u);
}

TEST(HttpServerLimits, bodies_in_memory_have_a_sum) {
  // Of which a peer has half: of two bodies of nearly that, one is refused, and a small one is not.
  HttpServer server({.max_body = 1 << 20, .max_memory = 2 << 20}, echo);
  const std::string most(900'000, 'x');
  Raw bodies[] = {Raw(server), Raw(server)};
  for (auto& body : bodies) body.say("POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + most);
  Raw* refused = nullptr;
  for (int i = 0; i < 400 && refused == nullptr; ++i)
    for (auto& body : bodies)
      if (body.readable(25)) refused = &body;
  ASSERT_NE(refused, nullptr);
  EXPECT_THAT(refused->hear("\r\n\r\n"), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(asked(server, "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"),
              HasSubstr("POST / abc"));
  EXPECT_EQ(server.counters().overloaded_total, 1u);
}

TEST(HttpServerLimits, a_stream_that_nobody_reads_keeps_neither_handlers_nor_the_servers_end) {
  HttpServer server({.threads = 1, .stream_threads = 4}, [](const ServerRequest& request) -> ServerResponse {
    if (request.path == "/") return {.body = "here"};
    return {.stream = [](const ByteSink& sink) {
      for (;;) sink(std::string(1 << 20, 'x'));
    }};
  });
  std::vector<std::unique_ptr<Raw>> readers;
  for (int i = 0; i < 3; ++i) {
    readers.push_back(std::make_unique<Raw>(server));
    readers.back()->say("GET /endless HTTP/1.1\r\n\r\n");
  }
  // Half of the threads are one peer's: the third waits until another goes.
  for (int i = 0; i < 2; ++i) {
    auto answering = std::ranges::find_if(readers, [](auto& reader) { return reader->readable(50); });
    for (int more = 0; more < 400 && answering == readers.end(); ++more)
      answering = std::ranges::find_if(readers, [](auto& reader) { return reader->readable(50); });
    ASSERT_NE(answering, readers.end());
    EXPECT_THAT((*answering)->hear("\r\n\r\n"), StartsWith("HTTP/1.1 200"));
    if (i == 1) break;
    readers.erase(answering);
  }
  EXPECT_THAT(asked(server, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), HasSubstr("here"));
}

TEST(HttpServerLimits, an_upload_goes_to_its_sink_in_pieces_and_what_that_throws_is_the_answer) {
  struct Sink : UploadSink {
    size_t size = 0;
    void write(std::string_view piece) override {
      size += piece.size();
      if (size > (1 << 20)) throw StatusError(507, ErrorKind::unavailable, "the store is full");
    }
  };
  HttpServer server(
      {.begin_upload = [](const ServerRequest&) { return std::make_shared<Sink>(); }},
      [](const ServerRequest& request) {
        return ServerResponse{.body = std::to_string(std::dynamic_pointer_cast<Sink>(request.upload)->size)};
      });
  TempDir dir;
  const auto put = [&](size_t size) {
    write_file(dir.path() / "source", std::string(size, 'x'));
    return HttpClient().send({.method = "PUT",
                              .url = fmt::format("http://127.0.0.1:{}/f", server.port()),
                              .upload_file = dir.path() / "source",
                              .max_body = BodyLimit(1000)});
  };
  EXPECT_EQ(put(0).body, "0");
  EXPECT_EQ(put(1 << 20).body, std::to_string(1 << 20));
  EXPECT_EQ(put(30 << 20).status, 507);
}

TEST(HttpServerAnswers, may_share_a_body_of_any_size_and_a_head_alone_has_none_of_it) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{20'000}, size_t{5'000'000}}) {
    const auto body = std::make_shared<const std::string>(size, 'b');
    const HttpServer server({}, [&](const ServerRequest&) { return ServerResponse{.shared_body = body}; });
    const auto ask = [&](const std::string& method) {
      return asked(server, method + " / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    };
    const std::string head = ask("HEAD");
    EXPECT_THAT(head, AllOf(HasSubstr(fmt::format("Content-Length: {}\r\n", size)), EndsWith("\r\n\r\n")));
    const std::string answer = ask("GET");
    EXPECT_EQ(answer.size(), head.size() + size);
    EXPECT_TRUE(answer.ends_with("\r\n\r\n" + *body));
  }
}

TEST(HttpServerAnswers, from_files_go_out_in_full_packets) {
  constexpr size_t size = 1 << 20;
  constexpr size_t requests = 32;    // until the connection's window holds a whole answer
  constexpr size_t packet = 65'483;  // bytes, of the loopback interface with its MTU of 65,536
  const TempDir dir;
  write_file(dir.path() / "file", std::string(size - 1, 'x') + "!");
  const HttpServer server(
      {}, [&](const ServerRequest&) { return ServerResponse{.body_file = dir.path() / "file"}; });
  Raw raw(server, 8 * size);  // nothing waits for the client's room
  for (size_t i = 0; i < requests; ++i) {
    raw.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_GT(raw.hear("!").size(), size);
  }
  EXPECT_LT(raw.packets_heard(), requests * (size / packet + 2));  // with the heads: one each may be begun
}

TEST(HttpServerAnswers, may_have_words_of_their_own_in_the_status_line) {
  const HttpServer server({}, [](const ServerRequest& request) {
    return ServerResponse{.status = 422,
                          .reason = request.path == "/odd" ? "a\r\nb" : "there is no such image"};
  });
  EXPECT_THAT(asked(server, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 422 there is no such image\r\n"));
  EXPECT_THAT(asked(server, "GET /odd HTTP/1.1\r\nConnection: close\r\n\r\n"), Not(HasSubstr("422")));
}

TEST(HttpServerRequests, that_change_something_or_have_a_body_are_refused_by_a_server_that_is_read_only) {
  const HttpServer server({.read_only = true}, echo);
  EXPECT_THAT(asked(server, "GET /x HTTP/1.1\r\nConnection: close\r\n\r\n"), HasSubstr("GET /x"));
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"})
    EXPECT_THAT(asked(server, fmt::format("{} / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n", method)),
                StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(asked(server, "GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\na"), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(asked(server, "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
}

constexpr auto long_enough = std::chrono::seconds(20);
constexpr std::string_view plain_get = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

bool can_connect(const HttpServer& server) {
  try {
    const Raw raw(server);
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(HttpServerDrain, first_serves_on_and_makes_each_answer_its_connections_last) {
  HttpServer server({.fixed = {{"/healthz", "ok\n"}}}, echo);
  Raw idle(server);
  EXPECT_THAT(idle.say(plain_get).hear("GET /x "), Not(HasSubstr("Connection: close")));
  server.begin_drain();
  EXPECT_THAT(idle.say(plain_get).hear(), HasSubstr("Connection: close"));
  Raw late(server);
  EXPECT_THAT(late.say(plain_get).hear(), AllOf(HasSubstr("Connection: close"), EndsWith("GET /x ")));
  Raw probe(server);
  EXPECT_THAT(probe.say("GET /healthz HTTP/1.1\r\n\r\n").hear(), HasSubstr("Connection: close"));
}

TEST(HttpServerDrain, then_waits_for_answers_and_uploads_in_progress_and_for_no_idle_connection) {
  Gate gate;
  HttpServer server({.threads = 1}, [&](const ServerRequest& request) {
    if (request.path == "/slow") gate.pass();
    return echo(request);
  });
  Raw idle(server);
  idle.say(plain_get).hear("GET /x ");
  Raw slow(server);
  slow.say("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  gate.wait_for(1);
  Raw sending(server);
  sending.say("POST /sent HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
  EXPECT_EQ(server.drain(std::chrono::milliseconds(50)), 2u);
  EXPECT_EQ(idle.hear(), "");
  EXPECT_FALSE(can_connect(server));
  sending.say("def");
  gate.let_go();
  EXPECT_THAT(slow.hear(),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Connection: close"), EndsWith("GET /slow ")));
  EXPECT_THAT(sending.hear(), EndsWith("POST /sent abcdef"));
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
  EXPECT_EQ(server.drain(std::chrono::milliseconds(0)), 1u);
  gate.let_go();
  // The head was sent before, so that it promises a further request.
  EXPECT_THAT(reader.hear("first last"), Not(HasSubstr("Connection: close")));
  EXPECT_EQ(server.drain(std::chrono::milliseconds(0)), 1u);
  EXPECT_THAT(reader.say(plain_get).hear(), AllOf(HasSubstr("Connection: close"), EndsWith("first last")));
  reader.hang_up();
  EXPECT_EQ(server.drain(long_enough), 0u);
}

TEST(HttpServerDrain, answers_who_has_connected_already_and_does_not_wait_for_those_who_say_nothing) {
  HttpServer server({}, echo);
  Raw silent(server);
  Raw asking(server);
  asking.say(plain_get);
  server.drain(std::chrono::milliseconds(0));
  EXPECT_THAT(asking.hear(), EndsWith("GET /x "));
  asking.hang_up();
  EXPECT_EQ(server.drain(long_enough), 0u);
  EXPECT_EQ(silent.hear(), "");
}

TEST(HttpServerDrain, waits_until_a_slow_reader_has_got_what_the_kernel_keeps_for_it) {
  const std::string body(100'000, 'x');
  HttpServer server({}, [&](const ServerRequest&) { return ServerResponse{.body = body}; });
  Raw kept(server, 4096);
  kept.say(plain_get);
  ASSERT_TRUE(kept.readable(20'000));  // it has the beginning
  server.begin_drain();
  Raw last(server, 4096);
  last.say(plain_get);
  ASSERT_TRUE(last.readable(20'000));
  EXPECT_EQ(server.drain(std::chrono::milliseconds(50)), 2u);
  EXPECT_THAT(kept.hear(), EndsWith(body));  // until the connection ends: once it has everything
  EXPECT_THAT(last.hear(), EndsWith(body));
  last.hang_up();
  EXPECT_EQ(server.drain(long_enough), 0u);
}

TEST(HttpServerDrain, leaves_those_who_wait_in_a_kept_socket_to_the_next_server) {
  const Fd kept(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(kept.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(kept.get(), 8), 0);
  const auto options = [&] {
    return HttpServerOptions{.listening = std::make_shared<Fd>(::fcntl(kept.get(), F_DUPFD_CLOEXEC, 0))};
  };
  auto first = std::make_unique<HttpServer>(options(), echo);
  Raw served(*first);
  EXPECT_THAT(served.say(plain_get).hear("GET /x "), EndsWith("GET /x "));
  served.hang_up();
  EXPECT_EQ(first->drain(long_enough), 0u);
  Raw waiting(*first);
  waiting.say(plain_get);
  first.reset();
  const HttpServer second(options(), echo);
  EXPECT_THAT(waiting.hear("GET /x "), EndsWith("GET /x "));
}

TEST(HttpServerDrain, gives_up_a_client_that_never_ends_its_request_when_patience_is_over) {
  HttpServer server({}, echo);
  Raw sending(server);
  sending.say("POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
  while (server.counters().connections == 0) std::this_thread::yield();
  EXPECT_EQ(server.drain(std::chrono::milliseconds(50)), 1u);
}

TEST(HttpServerDrain, of_a_server_without_clients_is_over_at_once) {
  HttpServer server({}, echo);
  EXPECT_EQ(server.drain(long_enough), 0u);
  EXPECT_EQ(server.drain(long_enough), 0u);
}

TEST(UrlParts, are_decoded_strictly) {
  EXPECT_EQ(decode_url_part("a%20b+c", false), "a b+c");
  EXPECT_EQ(decode_url_part("a%20b+c", true), "a b c");
  EXPECT_EQ(decode_url_part("%C3%BC", false), "ü");
  for (const char* bad : {"%", "%2", "%zz", "%00", "%1f", "%7F", "%C3", "%F5%80%80%80", "%E0%80%80"})
    EXPECT_FALSE(decode_url_part(bad, false)) << bad;
}

}  // namespace
}  // namespace flox
