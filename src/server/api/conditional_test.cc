#include "server/api/conditional.h"

#include <gtest/gtest.h>

namespace flox::server {
namespace {

ServerRequest get(const std::string& field = {}, const std::string& value = {}) {
  ServerRequest request{.method = "GET", .path = "/"};
  if (!field.empty()) request.headers[field] = value;
  return request;
}

// As the API answers a request.
ServerResponse answer(const ServerRequest& request, ServerResponse response) {
  describe_keeping(request, response);
  return unless_known(request, std::move(response));
}

TEST(Conditional, one_content_has_one_tag) {
  EXPECT_EQ(entity_tag("one"), entity_tag("one"));
  EXPECT_NE(entity_tag("one"), entity_tag("two"));
  EXPECT_EQ(entity_tag("").size(), 34U);
}

TEST(Conditional, lists_of_tags_are_read_as_rfc_9110_has_them) {
  for (const char* list :
       {"*", "\"a\"", " \"a\" ", "\"b\", \"a\"", "\"b\",\"a\"", "\"a\",,\"c\"", "\"x,y\", \"a\""})
    EXPECT_TRUE(has_tag_weakly(list, "\"a\"") && has_state_strongly(list, "\"a\"")) << list;
  for (const char* list : {"", "a", "\"a", "\"b\"", "\"A\"", "\"b\" \"a\"", "*, \"b\"", "w/\"a\"", "\"a\" x"})
    EXPECT_FALSE(has_tag_weakly(list, "\"a\"") || has_state_strongly(list, "\"a\"")) << list;
  EXPECT_TRUE(has_tag_weakly("W/\"a\"", "\"a\""));
  EXPECT_TRUE(has_tag_weakly("\"a\"", "W/\"a\""));
  EXPECT_FALSE(has_state_strongly("W/\"a\"", "\"a\""));
  EXPECT_FALSE(has_state_strongly("W/\"a\"", "W/\"a\""));
}

TEST(Conditional, a_change_is_based_on_the_state_and_an_answer_that_is_kept_on_all_of_the_content) {
  const std::string tag = entity_tag("state", "state and evidence");
  const std::string renewed = entity_tag("state", "state and newer evidence");
  EXPECT_TRUE(has_state_strongly(tag, renewed));
  EXPECT_TRUE(has_state_strongly("\"b\", " + tag, renewed));
  EXPECT_TRUE(has_state_strongly("*", renewed));
  EXPECT_FALSE(has_state_strongly("W/" + tag, renewed));
  EXPECT_FALSE(has_tag_weakly(tag, renewed));
  EXPECT_TRUE(has_tag_weakly(renewed, renewed));
  EXPECT_FALSE(has_state_strongly(tag, entity_tag("other", "state and evidence")));
  EXPECT_FALSE(has_state_strongly("\".\"", renewed));
  EXPECT_FALSE(has_state_strongly("\"\"", renewed));
}

TEST(Conditional, what_the_client_has_is_not_sent_again) {
  const ServerResponse first = answer(get(), {.body = "text"});
  EXPECT_EQ(first.headers.at("ETag"), entity_tag("text"));
  const ServerResponse again = answer(get("if-none-match", first.headers.at("ETag")), {.body = "text"});
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.body, "");
  EXPECT_EQ(again.headers.at("ETag"), entity_tag("text"));
  EXPECT_EQ(answer(get("if-none-match", first.headers.at("ETag")), {.body = "other"}).status, 200);
  EXPECT_EQ(answer(get("if-none-match", "*"), {.status = 404, .body = "no"}).status, 404);
}

TEST(Conditional, what_may_be_kept_is_said_truly) {
  EXPECT_EQ(answer(get(), {.body = "text"}).headers.at("Cache-Control"), "public, no-cache");
  ServerRequest of_program = get();
  of_program.path = "/api/v1/catalog/packages/web";
  EXPECT_EQ(answer(of_program, {.body = "text"}).headers.at("Vary"), "Authorization");
  ServerRequest page = get();
  page.path = "/packages/web";
  EXPECT_EQ(answer(page, {.body = "text"}).headers.at("Vary"), "Authorization, Cookie");
  page.headers = {{"host", "127.0.0.1:8590"}, {"cookie", "flox-session=x"}};
  EXPECT_EQ(answer(page, {.body = "text"}).headers.at("Cache-Control"), "private, no-cache");
  EXPECT_EQ(answer(get("authorization", "Bearer x"), {.body = "text"}).headers.at("Cache-Control"),
            "private, no-cache");
  const ServerResponse secret = answer(get(), {.body = "text", .headers = {{"Cache-Control", "no-store"}}});
  EXPECT_EQ(secret.headers.at("Cache-Control"), "no-store");
  EXPECT_FALSE(secret.headers.contains("ETag"));
  EXPECT_EQ(immutable_for(get()), "public, max-age=31536000, immutable");
  EXPECT_EQ(immutable_for(get("authorization", "Bearer x")), "private, max-age=31536000, immutable");
}

}  // namespace
}  // namespace flox::server
