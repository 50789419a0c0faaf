#include "base/net/retry_after.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/error.h"
#include "base/net/server/http_server.h"
#include "base/net/server/retry_later.h"

namespace flox {
namespace {

using std::chrono::seconds;

seconds seconds_in(const std::string& text) { return retry_after({.headers = {{"retry-after", text}}}); }

TEST(RetryAfter, is_seconds_or_a_date_and_bounded) {
  EXPECT_EQ(seconds_in("7"), seconds(7));
  EXPECT_EQ(seconds_in("0"), seconds(0));
  EXPECT_EQ(seconds_in("-5"), seconds(0));
  EXPECT_EQ(seconds_in("999999999"), seconds(3600));
  EXPECT_EQ(seconds_in("99999999999999999999999"), seconds(0));
  EXPECT_EQ(seconds_in("Thu, 01 Jan 1970 00:00:10 GMT"), seconds(0));
  EXPECT_EQ(seconds_in("Fri, 31 Dec 9999 23:59:59 GMT"), seconds(3600));
  EXPECT_EQ(seconds_in("soon"), seconds(0));
  EXPECT_EQ(retry_after({}), seconds(0));
}

// Refuses so many requests, then answers.
class Busy {
 public:
  Busy(int refusals, int status, int after) : left_(refusals), status_(status), after_(after) {}
  HttpResponse ask(const std::string& method, seconds most = seconds(30)) {
    HttpClient http;
    return send_patiently(http,
                          {.method = method,
                           .url = "http://127.0.0.1:" + std::to_string(server_.port()),
                           .max_body = BodyLimit(100)},
                          most);
  }
  int asked() const { return asked_; }

 private:
  std::atomic<int> asked_{0};
  std::atomic<int> left_;
  int status_, after_;
  HttpServer server_{{}, [this](const ServerRequest&) {
                       ++asked_;
                       if (left_-- > 0) throw RetryLater(status_, "busy", "", seconds(after_));
                       return ServerResponse{.body = "done"};
                     }};
};

TEST(RetryAfter, a_client_waits_as_long_as_it_is_asked_to) {
  Busy busy(1, 429, 1);
  EXPECT_EQ(busy.ask("POST").body, "done");
  EXPECT_EQ(busy.asked(), 2);
  Busy reading(1, 503, 1);
  EXPECT_EQ(reading.ask("GET").body, "done");
}

TEST(RetryAfter, a_client_does_not_wait_for_ever_and_repeats_no_change_that_may_have_happened) {
  Busy patient(1, 429, 60);
  EXPECT_EQ(patient.ask("GET").status, 429);
  EXPECT_EQ(patient.asked(), 1);
  Busy change(1, 503, 1);
  EXPECT_EQ(change.ask("POST").status, 503);
  EXPECT_EQ(change.asked(), 1);
  Busy down(9, 503, 1);
  EXPECT_EQ(down.ask("GET").status, 503);
  EXPECT_EQ(down.asked(), 2);
  Busy stubborn(9, 429, 1);
  EXPECT_EQ(stubborn.ask("GET", seconds(2)).status, 429);
  EXPECT_EQ(stubborn.asked(), 3);
  Busy silent(1, 429, 0);
  EXPECT_EQ(silent.ask("GET").status, 429);
}

}  // namespace
}  // namespace flox
