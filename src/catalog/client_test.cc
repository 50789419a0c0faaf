#include "catalog/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "base/error.h"
#include "base/net/server/http_server.h"

namespace flox::catalog {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using namespace std::string_literals;

// A server that answers every request alike, and remembers the last.
class Answering {
 public:
  Answering(int status, std::string body)
      : server_({}, [this, status, body](const ServerRequest& request) {
          last_ = request;
          return ServerResponse{
              .status = status,
              .content_type = status < 400 ? "application/json" : "application/problem+json",
              .body = body};
        }) {}
  Client client() const {
    return Client(fmt::format("http://127.0.0.1:{}/", server_.port()), Secret("secret"));
  }
  const ServerRequest& last() const { return last_; }

 private:
  ServerRequest last_;
  HttpServer server_;
};

template <typename Call>
Error error_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorKind::internal, "");
}

json answer_with(json page, json messages = json::array()) {
  return {{"items", {{{"name", "toplevel"}, {"page", page}, {"messages", messages}}}}};
}

TEST(Client, resolves_to_a_locked_package_with_the_descriptors_priority) {
  json package = {{"attr_path", "web"},
                  {"install_id", "w"},
                  {"version", "1.0"},
                  {"system", "x86_64-linux"},
                  {"outputs", {{"out", "/nix/store/00000000000000000000000000000000-web"}}},
                  {"priority", 5}};
  Answering catalog(200, answer_with({{"complete", true}, {"packages", {package}}}).dump());
  env::LockedPackage locked =
      catalog.client()
          .resolve("w", {.pkg_path = "web", .version = "^1", .priority = 3}, "x86_64-linux")
          .package;
  EXPECT_EQ(locked.version, "1.0");
  EXPECT_EQ(locked.priority, 3);
  EXPECT_EQ(locked.json["priority"], 3);
  json asked = json::parse(catalog.last().body)["items"][0]["descriptors"][0];
  EXPECT_EQ(asked["attr_path"], "web");
  EXPECT_EQ(asked["version"], "^1");
  EXPECT_EQ(asked["systems"], json({"x86_64-linux"}));
  EXPECT_NE(asked["cpu_level"], "");
}

TEST(Client, hands_on_the_catalogs_reason_and_advice) {
  json message = {{"message", "the catalog has no such package"},
                  {"context", {{"advice", "Did you mean web?"}}}};
  Answering catalog(200, answer_with({{"complete", false}}, {message}).dump());
  Error error = error_of([&] { catalog.client().resolve("w", {.pkg_path = "wep"}, "x86_64-linux"); });
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  EXPECT_STREQ(error.what(), "package 'wep': the catalog has no such package");
  EXPECT_EQ(error.advice(), "Did you mean web?");
}

// A catalog that takes so many questions at once and has no package whose name begins with "no".
class Resolving {
 public:
  explicit Resolving(size_t most) : most_(most) {}
  Client client() const { return Client(fmt::format("http://127.0.0.1:{}", server_.port())); }
  const std::vector<size_t>& requests() const { return requests_; }  // the number of questions of each

 private:
  ServerResponse answer(const ServerRequest& request) {
    const json items = json::parse(request.body)["items"];
    requests_.push_back(items.size());
    const auto refusal = [](const char* why) {
      return ServerResponse{
          .status = 400, .content_type = "application/problem+json", .body = json{{"detail", why}}.dump()};
    };
    if (items.size() > most_) return refusal("these are too many");
    json answers = json::array();
    for (const json& item : items) {
      const json& wanted = item["descriptors"][0];
      const std::string name = wanted["attr_path"];
      if (wanted.value("version", "") == "?") return refusal("'?' is no version");
      json package = {{"attr_path", name},
                      {"install_id", wanted["install_id"]},
                      {"version", "1"},
                      {"system", wanted["systems"][0]},
                      {"outputs", {{"out", "/nix/store/00000000000000000000000000000000-" + name}}}};
      if (name.starts_with("no"))
        answers.push_back({{"page", {{"complete", false}}}, {"messages", {{{"message", "there is none"}}}}});
      else
        answers.push_back(
            {{"page", {{"complete", true}, {"packages", {package}}}}, {"messages", json::array()}});
    }
    return {.content_type = "application/json", .body = json{{"items", answers}}.dump()};
  }
  size_t most_;
  std::vector<size_t> requests_;
  HttpServer server_{{}, [this](const ServerRequest& request) { return answer(request); }};
};

std::vector<env::PackageQuestion> questions(size_t count) {
  std::vector<env::PackageQuestion> result;
  for (size_t i = 0; i < count; ++i) {
    const std::string name = (i % 7 == 3 ? "none" : "web") + std::to_string(i);
    result.push_back({.install_id = name,
                      .descriptor = {.pkg_path = name, .priority = static_cast<int>(i)},
                      .system = i % 2 == 0 ? "x86_64-linux" : "aarch64-linux"});
  }
  return result;
}

// What answers say, as text.
std::vector<std::string> said(const std::vector<Client::ResolvedOrMissing>& answers) {
  std::vector<std::string> result;
  for (const auto& answer : answers)
    if (const auto* const missing = std::get_if<Error>(&answer))
      result.push_back(missing->what());
    else
      result.push_back(std::get<Resolved>(answer).package.json.dump());
  return result;
}

TEST(Client, resolves_many_packages_with_few_questions_and_to_the_same_as_one_by_one) {
  const Resolving catalog(100);
  const auto wanted = questions(205);
  const auto at_once = said(catalog.client().resolve_all(wanted));
  EXPECT_THAT(catalog.requests(), testing::ElementsAre(100, 100, 5));
  EXPECT_EQ(at_once[3], "package 'none3': there is none");
  std::vector<std::string> one_by_one;
  Client client = catalog.client();
  for (const auto& [install_id, descriptor, system] : wanted) try {
      one_by_one.push_back(client.resolve(install_id, descriptor, system).package.json.dump());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::not_found);
      one_by_one.emplace_back(error.what());
    }
  EXPECT_EQ(at_once, one_by_one);
}

TEST(Client, asks_in_halves_what_a_catalog_refuses_at_once) {
  const Resolving few(3), many(100);
  const auto wanted = questions(10);
  EXPECT_EQ(said(few.client().resolve_all(wanted)), said(many.client().resolve_all(wanted)));
  EXPECT_THAT(few.requests(), testing::ElementsAre(10, 5, 2, 3, 5, 2, 3));
}

TEST(Client, names_the_one_of_many_that_is_refused) {
  const Resolving catalog(100);
  auto wanted = questions(10);
  wanted[6].descriptor.version = "?";
  const auto answers = catalog.client().resolve_all(wanted);
  ASSERT_EQ(answers.size(), wanted.size());
  const Error& refusal = std::get<Error>(answers[6]);
  EXPECT_EQ(refusal.kind(), ErrorKind::invalid_input);
  EXPECT_STREQ(refusal.what(), "package 'web6' ?: '?' is no version");
  wanted.erase(wanted.begin() + 6);
  auto others = said(answers);
  others.erase(others.begin() + 6);
  EXPECT_EQ(others, said(catalog.client().resolve_all(wanted)));
}

TEST(Client, refuses_answers_to_other_questions_than_it_asked) {
  Answering catalog(200, answer_with({{"complete", false}}).dump());
  const Error error = error_of([&] { catalog.client().resolve_all(questions(2)); });
  EXPECT_EQ(error.kind(), ErrorKind::unavailable);
  EXPECT_THAT(error.what(), HasSubstr("'items' has not one element per question"));
}

TEST(Client, says_what_a_refusal_is_about) {
  Answering catalog(409, R"({"detail": "there already", "advice": "raise the version"})");
  Error error = error_of([&] { catalog.client().publish({.name = "web"}); });
  EXPECT_EQ(error.kind(), ErrorKind::conflict);
  EXPECT_THAT(error.what(), HasSubstr("there already"));
  EXPECT_EQ(error.advice(), "raise the version");
  EXPECT_EQ(catalog.last().headers.at("authorization"), "Bearer secret");
}

TEST(Client, encodes_what_it_asks_for) {
  Answering catalog(200, R"({"items": []})");
  catalog.client().search("a b&c=d", "x86_64-linux");
  EXPECT_EQ(catalog.last().query.at("search_term"), "a b&c=d");
  EXPECT_EQ(catalog.last().query.at("system"), "x86_64-linux");
  EXPECT_EQ(error_of([&] { catalog.client().show("a/../b?c"); }).kind(), ErrorKind::not_found);
  EXPECT_EQ(catalog.last().path, "/api/v1/catalog/packages/a/../b?c");
}

// A catalog with so many builds, of which it shows two in an answer.
class Paged {
 public:
  explicit Paged(int builds) : builds_(builds) {}
  std::string url() const { return fmt::format("http://127.0.0.1:{}", server_.port()); }
  int requests() const { return requests_; }

 private:
  ServerResponse answer(const ServerRequest& request) {
    ++requests_;
    const auto cursor = request.query.find("cursor");
    const int begin = cursor == request.query.end() ? 0 : std::stoi(cursor->second);
    json document = {{"items", json::array()}};
    for (int i = begin; i < std::min(begin + 2, builds_); ++i)
      document["items"].push_back(
          {{"name", "web"},
           {"version", std::to_string(i)},
           {"system", "x86_64-linux"},
           {"outputs", {{"out", "/nix/store/00000000000000000000000000000000-web"}}}});
    if (begin + 2 < builds_) document["next"] = std::to_string(begin + 2);
    return {.content_type = "application/json", .body = document.dump()};
  }
  int builds_;
  std::atomic<int> requests_{0};
  HttpServer server_{{}, [this](const ServerRequest& request) { return answer(request); }};
};

TEST(Client, reads_a_list_to_its_end_and_no_further_than_a_list_may_be) {
  Paged catalog(7);
  EXPECT_EQ(Client(catalog.url()).show("web").size(), 7U);
  EXPECT_EQ(catalog.requests(), 4);
  EXPECT_EQ(Client(catalog.url()).ask_all("/api/v1/owners?x=y", "listing").size(), 7U);
  Paged endless(1'000'000);
  EXPECT_THAT(error_of([&] { Client(endless.url()).search("web"); }).what(),
              HasSubstr("more than 100 pages"));
  EXPECT_EQ(endless.requests(), 100);
}

TEST(Client, what_has_not_changed_is_not_sent_again) {
  std::atomic<int> sent{0};
  HttpServer server({}, [&](const ServerRequest& request) {
    const auto known = request.headers.find("if-none-match");
    if (known != request.headers.end() && known->second == "\"1\"") return ServerResponse{.status = 304};
    ++sent;
    return ServerResponse{
        .content_type = "application/json", .body = R"({"signed": "root"})", .headers = {{"ETag", "\"1\""}}};
  });
  Client client(fmt::format("http://127.0.0.1:{}", server.port()));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.root("acme"), R"({"signed": "root"})");
  EXPECT_EQ(sent, 1);
}

TEST(Client, a_catalog_that_is_too_busy_is_unavailable_and_says_until_when) {
  Answering busy(429, R"({"detail": "too many requests", "advice": "Try again in 60 s."})");
  const Error error = error_of([&] { busy.client().search("x"); });
  EXPECT_EQ(error.kind(), ErrorKind::unavailable);
  EXPECT_EQ(error.advice(), "Try again in 60 s.");
}

TEST(Client, tells_a_catalog_from_anything_else_that_answers) {
  for (const char* body : {"<html>welcome</html>", "[]", "{}", R"({"items": 3})", R"({"items": [3]})"}) {
    Answering other(200, body);
    Error error = error_of([&] { other.client().resolve("w", {.pkg_path = "web"}, "x86_64-linux"); });
    EXPECT_EQ(error.kind(), ErrorKind::unavailable) << body;
    EXPECT_THAT(error.what(), HasSubstr("is not a catalog")) << body;
    EXPECT_THAT(error.advice(), HasSubstr("FLOX_CATALOG_URL"));
  }
  Answering missing(404, "<html>not here</html>");
  Error error = error_of([&] { missing.client().search("x"); });
  EXPECT_THAT(error.what(), testing::Not(HasSubstr("<html>")));
  EXPECT_THAT(error.advice(), HasSubstr("FLOX_CATALOG_URL"));
}

TEST(Client, takes_nothing_from_a_hostile_catalog_but_an_error) {
  const json build = {{"name", "web"},
                      {"version", "1.0"},
                      {"system", "x86_64-linux"},
                      {"outputs", {{"out", "/nix/store/00000000000000000000000000000000-web"}}}};
  const auto with = [&](const char* key, const json& value) {
    json changed = build;
    changed[key] = value;
    return json{{"items", {changed}}}.dump();
  };
  EXPECT_EQ(Answering(200, with("description", "x")).client().search("x").size(), 1U);
  const std::string deep(1'000'000, '[');
  for (const std::string& body :
       {deep, R"({"items": )" + deep, with("name", "a\033[31m"), with("version", std::string(200, '1')),
        with("system", 5), with("description", std::string(5000, 'x')), with("license", json::array()),
        with("signer", std::string(300, 'x')), with("closure_size", -1), with("outputs", json::object()),
        with("outputs", {{"out", "/etc/passwd"}}), R"({"items": [], "items": []})"s,
        "{\"items\": [\"\xff\"]}"s}) {
    Answering catalog(200, body);
    const Error error = error_of([&] { catalog.client().search("x"); });
    EXPECT_EQ(error.kind(), ErrorKind::unavailable) << error.what();
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("exception"))) << error.what();
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("\033"))) << error.what();
  }
  Answering environment(200, R"({"generation": "x", "manifest": 5, "lock": []})");
  EXPECT_EQ(error_of([&] {
              environment.client().environment({.owner = "o", .name = "n", .generation = {}});
            }).kind(),
            ErrorKind::unavailable);
}

TEST(Client, repeats_of_a_catalogs_words_one_short_line) {
  Answering catalog(409, R"({"detail": "there\u001b[2J\nalready )" + std::string(1000, 'x') +
                             R"(", "advice": "raise\u0007"})");
  const Error error = error_of([&] { catalog.client().publish({.name = "web"}); });
  for (const char* control : {"\033", "\n", "\a"}) {
    EXPECT_THAT(error.what(), testing::Not(HasSubstr(control)));
    EXPECT_THAT(error.advice(), testing::Not(HasSubstr(control)));
  }
  EXPECT_LT(std::string_view(error.what()).size(), 400U);
}

TEST(Client, has_a_login_in_its_url_for_the_cache_and_in_no_message) {
  const Error error = error_of([] { Client("http://me:s3cret@127.0.0.1:1").search("x"); });
  EXPECT_THAT(error.what(), testing::Not(HasSubstr("s3cret")));
  EXPECT_EQ(Client("http://me:s3cret@127.0.0.1:1/").cache_url(), "http://me:s3cret@127.0.0.1:1/cache");
  EXPECT_THAT(error_of([] { Client("http://me:s3cret@h:port"); }).what(), testing::Not(HasSubstr("s3cret")));
}

TEST(Client, that_reaches_nobody_says_where_it_looked) {
  Error error = error_of([] { Client("http://127.0.0.1:1").search("x"); });
  EXPECT_EQ(error.kind(), ErrorKind::unavailable);
  EXPECT_THAT(error.what(), HasSubstr("the catalog at http://127.0.0.1:1 cannot be reached"));
  EXPECT_THAT(error.advice(), HasSubstr("FLOX_CATALOG_URL"));
  error = error_of([] { Client("http://127.0.0.1:1", {}, "the first argument").search("x"); });
  EXPECT_THAT(error.advice(), HasSubstr("check the first argument."));
  EXPECT_THAT(error_of([] { Client("nonsense"); }).advice(), HasSubstr("https://catalog.example.org"));
  EXPECT_THAT(error_of([] { Client("").search("x"); }).what(), HasSubstr("no catalog is configured"));
}

}  // namespace
}  // namespace flox::catalog
