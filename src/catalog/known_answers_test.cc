#include "catalog/known_answers.h"

#include <gtest/gtest.h>

namespace flox::catalog {
namespace {

class KnownAnswersTest : public testing::Test {
 protected:
  // What is asked for the URL: the entity tag in it, or nothing.
  std::string asked(const std::string& url, const std::string& method = "GET") {
    HttpRequest request{.method = method, .url = url, .max_body = BodyLimit(100)};
    known_.ask_for_changes(request);
    return request.headers.empty() ? "" : request.headers.back().second;
  }
  HttpResponse take(const std::string& url, int status, const std::string& tag, const std::string& body,
                    const std::string& method = "GET") {
    HttpResponse response{.status = status, .body = body};
    if (!tag.empty()) response.headers["etag"] = tag;
    return known_.answer_to({.method = method, .url = url, .max_body = BodyLimit(100)}, response);
  }
  KnownAnswers known_;
};

TEST_F(KnownAnswersTest, what_has_not_changed_is_what_was_known) {
  EXPECT_EQ(asked("u"), "");
  EXPECT_EQ(take("u", 200, "\"1\"", "one").body, "one");
  EXPECT_EQ(asked("u"), "\"1\"");
  EXPECT_EQ(asked("v"), "");
  EXPECT_EQ(asked("u", "POST"), "");
  const HttpResponse again = take("u", 304, "\"1\"", "");
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, "one");
  EXPECT_EQ(take("u", 200, "\"2\"", "two").body, "two");
  EXPECT_EQ(asked("u"), "\"2\"");
}

TEST_F(KnownAnswersTest, a_failure_and_an_answer_without_a_tag_are_not_kept) {
  take("u", 200, "\"1\"", "one");
  EXPECT_EQ(take("u", 404, "", "gone").status, 404);
  EXPECT_EQ(asked("u"), "");
  take("u", 200, "", "one");
  EXPECT_EQ(asked("u"), "");
  EXPECT_EQ(take("u", 304, "\"1\"", "").status, 304);  // which was not asked for
  take("u", 201, "\"1\"", "one", "POST");
  EXPECT_EQ(asked("u"), "");
}

TEST_F(KnownAnswersTest, is_bounded) {
  take("large", 200, "\"1\"", std::string((1 << 20) + 1, 'x'));
  EXPECT_EQ(asked("large"), "");
  for (const char* url : {"1", "2", "3", "4"}) take(url, 200, "\"1\"", std::string(1 << 20, 'x'));
  EXPECT_EQ(asked("1"), "\"1\"");
  take("5", 200, "\"1\"", "x");
  EXPECT_EQ(asked("1"), "");
  EXPECT_EQ(asked("5"), "\"1\"");
}

}  // namespace
}  // namespace flox::catalog
