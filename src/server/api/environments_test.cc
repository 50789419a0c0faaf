#include <gtest/gtest.h>

#include "base/net/server/http_server.h"
#include "server/testing/api.h"

namespace flox::server {
namespace {

using nlohmann::json;
using trust::testing::signed_by;

class EnvironmentRoutesTest : public ApiCallTest {
 protected:
  // Everything of acme's is signed from now on; the evidence is renewed as time goes by.
  void sign() {
    trust_.put_root("acme", acme_.root_text());
    trust::Targets targets = acme_.targets;
    targets.version = 1;
    trust_.put_targets("acme", signed_by(targets, {acme_.targets_key}));
    is_signed_ = true;
  }
  static ServerRequest request_for(const char* method) {
    return {.method = method,
            .path = "/api/v1/environments/acme/web",
            .headers = {{"host", "c"}, {"authorization", "Bearer secret"}}};
  }
  ServerResponse show(const std::string& if_none_match = "") {
    ServerRequest request = request_for("GET");
    if (!if_none_match.empty()) request.headers["if-none-match"] = if_none_match;
    return api_.handle(request);
  }
  std::string tag() { return show().headers.at("ETag"); }
  // The generation that it is at then.
  int64_t push(const std::string& manifest, uint64_t version, const std::string& if_match = "",
               const std::string& if_none_match = "") {
    const json lock = {{"lockfile-version", 1}, {"manifest", json::object()}, {"packages", json::array()}};
    json body = {{"manifest", manifest}, {"lock", lock}};
    if (is_signed_) {
      trust::NameFile file;
      acme_.head(file);
      file.name = "environments/web";
      file.version = version;
      file.targets = trust::EnvironmentRecord{.owner = "acme",
                                              .name = "web",
                                              .generation = version,
                                              .manifest = manifest,
                                              .lock = env::Lockfile::parse(lock.dump()).to_string()}
                         .to_targets();
      body["name_file"] = signed_by(file, {acme_.signing_key});
    }
    ServerRequest request = request_for("POST");
    if (!if_match.empty()) request.headers["if-match"] = if_match;
    if (!if_none_match.empty()) request.headers["if-none-match"] = if_none_match;
    request.headers["content-type"] = "application/json";
    request.body = body.dump();
    return json::parse(api_.handle(request).body).at("generation");
  }
  int status_of_push(const std::string& manifest, uint64_t version, const std::string& if_match,
                     const std::string& if_none_match = "") {
    try {
      push(manifest, version, if_match, if_none_match);
      return 201;
    } catch (const StatusError& error) {
      return error.status();
    }
  }

  json generations(std::map<std::string, std::string> query = {}) {
    ServerRequest request = request_for("GET");
    request.path += "/generations";
    request.query = std::move(query);
    return json::parse(api_.handle(request).body);
  }

  bool is_signed_ = false;
};

TEST_F(EnvironmentRoutesTest, a_push_upon_a_generation_does_not_mind_that_its_evidence_is_renewed) {
  sign();
  push("one", 1);
  const std::string before = tag();
  now_ += trust::default_timestamp_life;
  EXPECT_EQ(show(before).status, 200) << "renewed evidence is sent to who has the older one";
  EXPECT_NE(tag(), before);
  EXPECT_EQ(show(tag()).status, 304);
  EXPECT_EQ(push("two", 2, before), 2);
  EXPECT_EQ(status_of_push("three", 3, before), 412);
  EXPECT_EQ(push("three", 3, tag()), 3);
}

TEST_F(EnvironmentRoutesTest, the_same_push_once_more_whose_answer_was_lost_is_answered_with_its_generation) {
  push("one", 1);
  const std::string first = tag();
  EXPECT_EQ(push("two", 2, first), 2);
  EXPECT_EQ(push("two", 2, first), 2);
  EXPECT_EQ(status_of_push("three", 3, first), 412);
  EXPECT_EQ(environments_.find("acme", "web", std::nullopt)->number, 2);
}

TEST_F(EnvironmentRoutesTest, the_same_signed_push_once_more_is_answered_with_its_generation) {
  sign();
  push("one", 1);
  const std::string first = tag();
  EXPECT_EQ(push("two", 2, first), 2);
  EXPECT_EQ(push("two", 2, first), 2);
  // Signed as the next generation it is another push.
  EXPECT_EQ(status_of_push("two", 3, first), 412);
}

TEST_F(EnvironmentRoutesTest, a_push_upon_any_generation_needs_one) {
  EXPECT_EQ(status_of_push("one", 1, "*"), 412);
  EXPECT_EQ(status_of_push("one", 1, "\"0\""), 412);
  push("one", 1);
  EXPECT_EQ(push("two", 2, "*"), 2);
}

TEST_F(EnvironmentRoutesTest, the_first_push_of_two_that_find_nothing_is_the_only_one) {
  EXPECT_EQ(push("one", 1, "", "*"), 1);
  EXPECT_EQ(status_of_push("two", 2, "", "*"), 412);
  EXPECT_EQ(push("one", 1, "", "*"), 1) << "once more, because the answer was lost";
  EXPECT_EQ(environments_.find("acme", "web", std::nullopt)->manifest, "one");
  EXPECT_THROW(push("two", 2, "*", "*"), Error) << "both conditions";
  EXPECT_THROW(push("two", 2, "", tag()), Error) << "a condition that nobody looks at";
}

TEST_F(EnvironmentRoutesTest, lists_its_generations_newest_first_in_pages) {
  EXPECT_THROW(generations(), Error);
  for (int64_t number = 1; number <= 12; ++number)
    push(std::to_string(number), static_cast<uint64_t>(number));
  const json all = generations();
  ASSERT_EQ(all.at("items").size(), 12U);
  EXPECT_EQ(all.at("items")[0].at("generation"), 12);
  EXPECT_EQ(all.at("items")[11].at("generation"), 1);
  const json first = generations({{"page_size", "5"}});
  ASSERT_EQ(first.at("items").size(), 5U);
  const json second = generations({{"page_size", "5"}, {"cursor", first.at("next").get<std::string>()}});
  EXPECT_EQ(second.at("items")[0].at("generation"), 7);
}

}  // namespace
}  // namespace flox::server
