#include "server/api/api.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"
#include "nix/cache_layout.h"
#include "server/records/records.h"
#include "server/testing/uploads.h"

namespace flox::server {
namespace {

// The API as a publisher drives it, without sockets.
class ApiTest : public UploadTest {
 protected:
  ServerResponse post(nlohmann::json record, const std::string& token = "secret") {
    ServerRequest request{.method = "POST", .path = "/api/v1/catalog/packages/web/builds"};
    request.headers["authorization"] = "Bearer " + token;
    request.body = record.dump();
    api_.admit(request);
    return api_.handle(request);
  }
  nlohmann::json record(char digit = '0') {
    return {{"name", "web"},
            {"version", "1.0"},
            {"system", "x86_64-linux"},
            {"signer", "k"},
            {"outputs", {{"out", path(digit).to_string()}}}};
  }
  Records records_{*database_};
  EnvironmentRecords environments_{*database_};
  Api api_{records_, environments_, cache_, keys_, {.token = Secret("secret")}};
};

TEST_F(ApiTest, keeps_every_generation_of_an_environment) {
  const auto push = [&](const std::string& manifest, const std::string& token = "secret") {
    ServerRequest request{.method = "POST", .path = "/api/v1/environments/acme/web"};
    request.headers["authorization"] = "Bearer " + token;
    request.body = nlohmann::json({{"manifest", manifest},
                                   {"lock",
                                    {{"lockfile-version", 1},
                                     {"manifest", {{"text", manifest}}},
                                     {"packages", nlohmann::json::array()}}}})
                       .dump();
    api_.admit(request);
    return nlohmann::json::parse(api_.handle(request).body).at("generation").get<int64_t>();
  };
  const auto get = [&](const std::string& generation) {
    ServerRequest request{.method = "GET", .path = "/api/v1/environments/acme/web"};
    if (!generation.empty()) request.query["generation"] = generation;
    return nlohmann::json::parse(api_.handle(request).body);
  };
  EXPECT_EQ(refusal([&] { get(""); }), ErrorKind::not_found);
  EXPECT_EQ(refusal([&] { push("one", "guess"); }), ErrorKind::untrusted);
  EXPECT_EQ(push("one"), 1);
  EXPECT_EQ(push("two"), 2);
  EXPECT_EQ(push("two"), 2);
  EXPECT_EQ(get("").at("manifest"), "two");
  EXPECT_EQ(get("1").at("lock").at("manifest").at("text"), "one");
  EXPECT_EQ(refusal([&] { get("3"); }), ErrorKind::not_found);
  EXPECT_EQ(refusal([&] { get("x"); }), ErrorKind::invalid_input);
  EXPECT_EQ(refusal([&] { api_.handle({.method = "GET", .path = "/api/v1/environments/acme"}); }),
            ErrorKind::invalid_input);
}

TEST_F(ApiTest, a_record_is_taken_once_its_closure_is_here_and_repeating_it_changes_nothing) {
  EXPECT_EQ(refusal([&] { post(record()); }), ErrorKind::invalid_input);
  upload('0', "library");
  EXPECT_EQ(post(record()).status, 201);
  nlohmann::json again = record();
  again["description"] = "another";
  ServerResponse repeated = post(again);
  EXPECT_EQ(repeated.status, 200);
  EXPECT_EQ(nlohmann::json::parse(repeated.body)["description"], "");
  upload('1', "other");
  EXPECT_EQ(refusal([&] { post(record('1')); }), ErrorKind::conflict);
}

TEST_F(ApiTest, a_record_cannot_claim_another_signer_or_size_or_an_unknown_cpu_level) {
  upload('0', "library");
  nlohmann::json forged = record();
  forged["signer"] = "somebody-trusted";
  EXPECT_EQ(refusal([&] { post(forged); }), ErrorKind::untrusted);
  nlohmann::json variant = record();
  variant["variant"] = "avx2";
  EXPECT_EQ(refusal([&] { post(variant); }), ErrorKind::invalid_input);
  nlohmann::json small = record();
  small["closure_size"] = 1;
  EXPECT_EQ(nlohmann::json::parse(post(small).body)["closure_size"], 7);
}

TEST_F(ApiTest, a_key_signs_only_the_packages_that_it_is_registered_for) {
  accept(upload_nar('0', "library"), other_);
  nlohmann::json one = record();
  one["signer"] = "other";
  EXPECT_EQ(refusal([&] { post(one); }), ErrorKind::untrusted);
  EXPECT_TRUE(keys_.may_sign("other", "tool-1"));
  EXPECT_TRUE(keys_.may_sign("other", "libweb"));
  EXPECT_FALSE(keys_.may_sign("other", "libweb2"));
  EXPECT_FALSE(keys_.may_sign("stranger", "libweb"));
}

TEST_F(ApiTest, who_signed_is_told_by_the_keys_that_are_registered_now) {
  upload('0', "library");
  post(record());
  EXPECT_EQ(records_.builds("web")[0].signer, "k");
  const RegisteredKeys none;
  CacheFiles cache(*store_, nars_, none);
  const Api development(records_, environments_, cache, none, {});
  EXPECT_EQ(records_.builds("web")[0].signer, "not verified (claims k)");
  const RegisteredKeys impostor({nix::SecretKey::generate("k").public_key().to_string()});
  const Api with_impostor(records_, environments_, cache, impostor, {});
  EXPECT_EQ(records_.builds("web")[0].signer, "not verified (claims k)");
  const Api again(records_, environments_, cache, keys_, {});
  EXPECT_EQ(records_.builds("web")[0].signer, "k");
}

TEST_F(ApiTest, a_record_has_limits) {
  upload('0', "library");
  const auto with = [&](const char* member, nlohmann::json value) {
    nlohmann::json changed = record();
    changed[member] = std::move(value);
    return refusal([&] { post(changed); });
  };
  EXPECT_EQ(with("description", std::string(5000, 'x')), ErrorKind::invalid_input);
  EXPECT_EQ(with("description", "\x1b[2J"), ErrorKind::invalid_input);
  EXPECT_EQ(with("name", std::string(300, 'x')), ErrorKind::invalid_input);
  nlohmann::json outputs;
  for (int i = 0; i < 100; ++i) outputs["o" + std::to_string(i)] = path('0').to_string();
  EXPECT_EQ(with("outputs", outputs), ErrorKind::invalid_input);
}

TEST_F(ApiTest, a_host_that_is_none_goes_into_no_answer) {
  ServerRequest request{.method = "POST", .path = "/api/v1/catalog/resolve", .body = R"({"items":[]})"};
  for (const std::string& host :
       std::vector<std::string>{"a b", "a\"b", "a/b", "a@b", std::string(300, 'a'), ""}) {
    request.headers["host"] = host;
    EXPECT_EQ(refusal([&] { api_.handle(request); }), ErrorKind::invalid_input) << host;
  }
  request.headers["host"] = "[::1]:8590";
  EXPECT_EQ(api_.handle(request).status, 200);
}

TEST_F(ApiTest, without_the_token_nothing_is_changed_and_everything_read) {
  upload('0', "library");
  EXPECT_EQ(refusal([&] { post(record(), "wrong"); }), ErrorKind::untrusted);
  for (const char* method : {"PUT", "DELETE", "POST"})
    EXPECT_EQ(refusal([&] { api_.admit({.method = method, .path = "/cache/nix-cache-info"}); }),
              ErrorKind::untrusted);
  Api read_only(records_, environments_, cache_, keys_, {});
  EXPECT_EQ(
      refusal([&] {
        read_only.admit({.method = "PUT", .path = "/cache/x", .headers = {{"authorization", "Bearer "}}});
      }),
      ErrorKind::untrusted);
  EXPECT_NO_THROW(api_.admit({.method = "GET", .path = "/cache/nix-cache-info"}));
  EXPECT_NO_THROW(api_.admit({.method = "POST", .path = "/api/v1/catalog/resolve"}));
  for (const char* there : {"/", "/healthz", "/metrics", "/api/v1/catalog/search", "/cach"})
    EXPECT_EQ(refusal([&] { api_.admit({.method = "POST", .path = there}); }), ErrorKind::not_found) << there;
}

TEST_F(ApiTest, a_nar_in_a_bucket_is_fetched_from_there_or_through_the_catalog) {
  const nix::NarInfo narinfo = upload('0', "library");
  const auto get = [&](Api& api, const std::string& name, const char* method = "GET") {
    return api.handle({.method = method, .path = "/cache/" + name});
  };
  const auto body = [](const ServerResponse& response) {
    if (response.body_file) return read_file(*response.body_file);
    std::string text;
    response.stream([&](std::string_view piece) { text += piece; });
    EXPECT_EQ(response.stream_size, text.size());
    return text;
  };
  const ServerResponse nar = get(api_, narinfo.url);
  EXPECT_EQ(nar.status, TestStore::in_bucket() ? 307 : 200);
  if (TestStore::in_bucket()) {
    EXPECT_NE(nar.headers.at("Location").find("X-Amz-Signature="), std::string::npos);
    EXPECT_EQ(get(api_, narinfo.url, "HEAD").status, 200);
    EXPECT_EQ(get(api_, narinfo.url, "HEAD").stream_size, 7u);
  }
  EXPECT_EQ(get(api_, nix::narinfo_name(path('0'))).status, 200);
  EXPECT_EQ(nix::NarInfo::parse(body(get(api_, nix::narinfo_name(path('0'))))).url, narinfo.url);
  const auto plain = test_store_.open(Presign::automatic);
  CacheFiles cache(*plain, nars_, keys_);
  Api without(records_, environments_, cache, keys_, {});
  EXPECT_EQ(get(without, narinfo.url).status, 200);
  EXPECT_EQ(body(get(without, narinfo.url)), "library");
  const std::string missing = "nar/" + std::string(52, '0') + ".nar";
  EXPECT_EQ(refusal([&] { get(api_, missing); }), ErrorKind::not_found);
}

TEST_F(ApiTest, is_ready_as_long_as_the_database_and_the_files_are) {
  EXPECT_EQ(api_.handle({.method = "GET", .path = "/readyz"}).body, "database: ok\nfiles: ok\n");
  if (TestStore::in_bucket())
    store_->remove(std::string(nix::cache_info_name));
  else
    fs::rename(dir_.path() / "cache/nar", dir_.path() / "cache/elsewhere");
  const ServerResponse answer = api_.handle({.method = "GET", .path = "/readyz"});
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "database: ok\nfiles: unavailable\n");
  EXPECT_TRUE(answer.headers.contains("Retry-After"));
}

TEST_F(ApiTest, an_unknown_package_comes_with_the_names_that_are_near) {
  upload('0', "library");
  post(record());
  try {
    api_.handle({.method = "GET", .path = "/api/v1/catalog/packages/wep"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_EQ(error.advice(), "Did you mean web?");
  }
}

}  // namespace
}  // namespace flox::server
