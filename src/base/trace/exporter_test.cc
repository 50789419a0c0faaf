#include "base/trace/exporter.h"

#include <gtest/gtest.h>

#include <future>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/net/server/http_server.h"

namespace flox::trace {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

SpanRecord span(const std::string& name) {
  return {.trace = new_trace_id(),
          .id = new_span_id(),
          .parent = {},
          .name = name,
          .kind = Kind::server,
          .begin = SpanRecord::Clock::time_point(std::chrono::seconds(5)),
          .end = SpanRecord::Clock::time_point(std::chrono::seconds(6)),
          .texts = {{"http.route", "/x\xff"}},
          .numbers = {{"http.response.status_code", 503}},
          .has_failed = true};
}

// A collector that answers with a status and keeps what it was sent.
class Collector {
 public:
  explicit Collector(int status = 200) : status_(status) {}
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }
  std::vector<std::string> names() const {
    const std::scoped_lock lock(mutex_);
    return names_;
  }
  std::atomic<int> requests{0};

 private:
  int status_;
  mutable std::mutex mutex_;
  std::vector<std::string> names_;
  HttpServer server_{{}, [this](const ServerRequest& request) {
                       ++requests;
                       const std::scoped_lock lock(mutex_);
                       EXPECT_EQ(request.path, "/v1/traces");
                       EXPECT_EQ(request.headers.at("content-type"), "application/json");
                       const json body = json::parse(request.body);
                       for (const auto& one : body["resourceSpans"][0]["scopeSpans"][0]["spans"])
                         names_.push_back(one["name"]);
                       return ServerResponse{.status = status_, .body = "{}"};
                     }};
};

TEST(Exporter, writes_otlp_json) {
  const json document = json::parse(otlp_json({span("one")}, "flox-catalog", "1"));
  const json& resource = document.at("resourceSpans").at(0);
  EXPECT_EQ(resource.at("resource").at("attributes").at(0).at("key"), "service.name");
  const json& one = resource.at("scopeSpans").at(0).at("spans").at(0);
  EXPECT_EQ(one.at("traceId").get<std::string>().size(), 32U);
  EXPECT_EQ(one.at("spanId").get<std::string>().size(), 16U);
  EXPECT_FALSE(one.contains("parentSpanId"));
  EXPECT_EQ(one.at("startTimeUnixNano"), "5000000000");
  EXPECT_EQ(one.at("kind"), 2);
  EXPECT_EQ(one.at("status").at("code"), 2);
  EXPECT_EQ(one.at("attributes").at(1).at("value").at("intValue"), "503");
}

TEST(Exporter, what_waits_at_the_end_is_sent) {
  Collector collector;
  {
    Exporter exporter(
        {.url = collector.url(), .service = "s", .version = "1", .pause = std::chrono::hours(1)});
    for (int i = 0; i < 100; ++i) exporter.add(span(std::to_string(i)));
  }
  ASSERT_EQ(collector.names().size(), 100U);
  EXPECT_EQ(collector.names()[99], "99");
}

TEST(Exporter, many_spans_are_sent_in_batches_without_waiting_for_the_pause) {
  Collector collector;
  Exporter exporter({.url = collector.url(), .service = "s", .version = "1", .pause = std::chrono::hours(1)});
  for (int i = 0; i < 256; ++i) exporter.add(span("x"));
  while (exporter.counters().exported < 256) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_GE(collector.requests, 1);
  EXPECT_EQ(exporter.counters().dropped, 0U);
}

TEST(Exporter, without_a_collector_spans_are_lost_counted_and_bounded) {
  Exporter exporter({.url = "http://127.0.0.1:1",
                     .service = "s",
                     .version = "1",
                     .most_waiting = 10,
                     .pause = std::chrono::hours(1)});
  for (int i = 0; i < 1000; ++i) exporter.add(span("x"));
  EXPECT_EQ(exporter.counters().dropped, 990U);
  EXPECT_EQ(exporter.counters().exported, 0U);
}

TEST(Exporter, what_the_collector_refuses_is_lost_and_counted) {
  Collector collector(400);
  Exporter exporter({.url = collector.url(), .service = "s", .version = "1", .pause = milliseconds(1)});
  exporter.add(span("x"));
  while (exporter.counters().dropped < 1) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(exporter.counters().exported, 0U);
}

TEST(Exporter, what_is_no_url_is_refused_at_the_start) {
  EXPECT_THROW(Exporter({.url = "collector", .service = "s", .version = "1"}), Error);
}

TEST(Exporter, records_the_share_of_traces_that_it_is_told) {
  Exporter exporter({.url = "http://127.0.0.1:1", .service = "s", .version = "1", .percent = 25});
  int count = 0;
  for (int i = 0; i < 1000; ++i) count += exporter.samples() ? 1 : 0;
  EXPECT_EQ(count, 250);
}

}  // namespace
}  // namespace flox::trace
