#include "server/identity/page_sessions.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/os/file.h"
#include "server/testing/database.h"

namespace flox::server {
namespace {

// An issuer that takes its time.
class SlowIssuer {
 public:
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }
  void wait_until_asked() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return asked_ > 0; });
  }
  void answer() {
    const std::scoped_lock lock(mutex_);
    may_answer_ = true;
    changed_.notify_all();
  }
  int asked() {
    const std::scoped_lock lock(mutex_);
    return asked_;
  }

 private:
  ServerResponse configuration() {
    std::unique_lock lock(mutex_);
    ++asked_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return may_answer_; });
    return {.content_type = "application/json",
            .body = nlohmann::json{{"issuer", url()},
                                   {"authorization_endpoint", url() + "/auth"},
                                   {"token_endpoint", url() + "/token"},
                                   {"code_challenge_methods_supported", nlohmann::json::array({"S256"})}}
                        .dump()};
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int asked_ = 0;
  bool may_answer_ = false;
  HttpServer server_{{}, [this](const ServerRequest&) { return configuration(); }};
};

class PageSessionsTest : public testing::Test {
 protected:
  PageSessionsTest() {
    exchange_.emplace(identity_, LoginOptions{.issuer = issuer_.url(), .client_id = "flox"},
                      std::vector<ExchangeRule>());
    sessions_.emplace(
        *exchange_,
        PageLoginOptions{.public_url = "https://catalog.example.com", .client_id = {}, .client_secret = {}});
  }
  ~PageSessionsTest() override { issuer_.answer(); }  // whatever has failed before
  bool is_from_here(std::map<std::string, std::string> headers) const {
    return sessions_->is_from_here({.method = "POST", .path = "/logout", .headers = std::move(headers)});
  }

  TempDir dir_;
  TestDatabase test_database_{dir_.path()};
  std::unique_ptr<Database> database_ = test_database_.open();
  OwnerRecords owners_{*database_};
  TokenRecords tokens_{*database_};
  Identity identity_{Secret("operator"), owners_, tokens_};
  SlowIssuer issuer_;
  std::optional<Exchange> exchange_;
  std::optional<PageSessions> sessions_;
};

TEST_F(PageSessionsTest, nobody_waits_for_the_question_that_another_asks_a_slow_issuer) {
  auto first = std::async(std::launch::async, [&] { return sessions_->begin("/packages/web"); });
  issuer_.wait_until_asked();
  try {
    sessions_->begin("/");
    ADD_FAILURE() << "the second has an answer";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_NE(std::string(error.what()).find("is not known yet"), std::string::npos) << error.what();
  }
  issuer_.answer();
  EXPECT_TRUE(first.get().page.starts_with(issuer_.url() + "/auth?response_type=code&"));
  EXPECT_TRUE(sessions_->begin("/").cookie.starts_with("__Host-flox-session=login."));
  EXPECT_EQ(issuer_.asked(), 1);
}

TEST_F(PageSessionsTest, signing_out_comes_from_a_page_of_ours) {
  EXPECT_TRUE(is_from_here({{"sec-fetch-site", "same-origin"}, {"origin", "https://catalog.example.com"}}));
  EXPECT_TRUE(is_from_here({{"sec-fetch-site", "same-origin"}, {"origin", "null"}}));  // of no-referrer
  EXPECT_TRUE(is_from_here({{"origin", "https://catalog.example.com"}}));
  EXPECT_TRUE(is_from_here({}));
  for (const char* site : {"cross-site", "same-site", "none", ""})
    EXPECT_FALSE(is_from_here({{"sec-fetch-site", site}, {"origin", "https://catalog.example.com"}})) << site;
  for (const char* origin : {"null", "https://evil.example", "http://catalog.example.com", ""})
    EXPECT_FALSE(is_from_here({{"origin", origin}})) << origin;
}

}  // namespace
}  // namespace flox::server
