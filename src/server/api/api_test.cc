#include "server/api/api.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/error.h"
#include "base/os/file.h"
#include "nix/base32.h"
#include "nix/cache_layout.h"
#include "server/testing/api.h"

namespace flox::server {
namespace {

// The API as a publisher drives it, without sockets.
class ApiTest : public ApiCallTest {
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
  // Uploads the NAR and the narinfo of a path as the owner of the token.
  void upload_as(const std::string& token, char digit, const std::string& content) {
    nix::NarInfo narinfo{
        .info = {.path = path(digit), .nar_hash = sha256(content), .nar_size = content.size()}};
    narinfo.file_hash = narinfo.info.nar_hash;
    narinfo.file_size = content.size();
    narinfo.url = "nar/" + nix::to_base32(bytes_of(*narinfo.file_hash)) + ".nar";
    narinfo.info.signatures = {key_.sign(narinfo.info.fingerprint())};
    put("/cache/" + narinfo.url, content, token);
    put("/cache/" + nix::narinfo_name(narinfo.info.path), narinfo.to_string(), token);
  }
  bool can_read(const std::string& token, const std::string& path) {
    try {
      ask("GET", path, token);
      return true;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::not_found);
      return false;
    }
  }
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
  const Api development(records_, environments_, attestations_, start_profiles_, trust_, cache, none,
                        accounts_, {});
  EXPECT_EQ(records_.builds("web")[0].signer, "not verified (claims k)");
  const RegisteredKeys impostor({nix::SecretKey::generate("k").public_key().to_string()});
  const Api with_impostor(records_, environments_, attestations_, start_profiles_, trust_, cache, impostor,
                          accounts_, {});
  EXPECT_EQ(records_.builds("web")[0].signer, "not verified (claims k)");
  const Api again(records_, environments_, attestations_, start_profiles_, trust_, cache, keys_, accounts_,
                  {});
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
  Accounts without_operator(*database_, {});
  Api read_only(records_, environments_, attestations_, start_profiles_, trust_, cache_, keys_,
                without_operator, {});
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
    if (!response.stream) return std::string(response.text());
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
  EXPECT_EQ(nix::NarInfo::parse(get(api_, nix::narinfo_name(path('0'))).text()).url, narinfo.url);
  const auto plain = test_store_.open(Presign::automatic);
  CacheFiles cache(*plain, nars_, keys_);
  Api without(records_, environments_, attestations_, start_profiles_, trust_, cache, keys_, accounts_, {});
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
  const std::string metrics = api_.handle({.method = "GET", .path = "/metrics"}).body;
  EXPECT_NE(metrics.find("flox_catalog_ready{part=\"database\"} 1"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("flox_catalog_ready{part=\"files\"} 0"), std::string::npos) << metrics;
}

TEST_F(ApiTest, is_not_ready_once_it_is_to_stop_though_everything_works) {
  std::atomic<bool> is_stopping{false};
  Api api(records_, environments_, attestations_, start_profiles_, trust_, cache_, keys_, accounts_,
          {.is_stopping = [&] { return is_stopping.load(); }});
  EXPECT_EQ(api.handle({.method = "GET", .path = "/readyz"}).status, 200);
  is_stopping = true;
  const ServerResponse answer = api.handle({.method = "GET", .path = "/readyz"});
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "database: ok\nfiles: ok\ncatalog: stopping\n");
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

TEST_F(ApiTest, an_owners_token_publishes_for_it_alone) {
  make_owner("acme");
  make_owner("beta");
  const std::string acme = token_of("acme");
  const std::string beta = token_of("beta");
  upload('0', "library");
  EXPECT_EQ(post(record(), acme).status, 201);
  EXPECT_EQ(post(record(), acme).status, 200);
  nlohmann::json next = record();
  next["version"] = "2.0";
  EXPECT_EQ(refusal([&] { post(next, beta); }), ErrorKind::untrusted);
  EXPECT_EQ(refusal([&] { post(next, token_of("acme", "read")); }), ErrorKind::untrusted);
  next["owner"] = "beta";
  EXPECT_EQ(refusal([&] { post(next, acme); }), ErrorKind::untrusted);
  const nlohmann::json environment = {
      {"manifest", "x"},
      {"lock",
       {{"lockfile-version", 1}, {"manifest", {{"text", "x"}}}, {"packages", nlohmann::json::array()}}}};
  EXPECT_EQ(refusal([&] { ask("POST", "/api/v1/environments/acme/web", beta, environment); }),
            ErrorKind::untrusted);
  EXPECT_EQ(ask("POST", "/api/v1/environments/acme/web", acme, environment).at("generation"), 1);
  const std::string metrics = api_.handle({.method = "GET", .path = "/metrics"}).body;
  EXPECT_NE(metrics.find("flox_catalog_refused_total{reason=\"other_owner\"} 3"), std::string::npos)
      << metrics;
  EXPECT_NE(metrics.find("flox_catalog_refused_total{reason=\"scope\"} 1"), std::string::npos);
}

TEST_F(ApiTest, what_was_published_before_there_were_owners_is_the_operators_until_it_is_given_away) {
  make_owner("acme");
  const std::string acme = token_of("acme");
  upload('0', "library");
  records_.add(catalog::PackageBuild::from_json(record()));
  nlohmann::json next = record();
  next["version"] = "2.0";
  EXPECT_EQ(refusal([&] { post(next, acme); }), ErrorKind::untrusted);
  EXPECT_EQ(post(next, "secret").status, 201);
  ask("POST", "/api/v1/owners/acme/packages/web", "secret", {{"private", false}});
  next["version"] = "3.0";
  EXPECT_EQ(post(next, acme).status, 201);
}

TEST_F(ApiTest, what_is_private_is_not_there_for_others_and_neither_are_its_files) {
  make_owner("acme", true);
  make_owner("beta");
  const std::string acme = token_of("acme");
  const std::string beta = token_of("beta");
  upload_as(acme, '0', "library");
  const std::string narinfo = "/cache/" + nix::narinfo_name(path('0'));
  const std::string nar = "/cache/" + cache_.narinfo(path('0'))->url;
  post(record(), acme);
  for (const std::string& hidden : std::vector<std::string>{narinfo, nar, "/api/v1/catalog/packages/web"}) {
    EXPECT_TRUE(can_read(acme, hidden)) << hidden;
    EXPECT_TRUE(can_read("secret", hidden)) << hidden;
    EXPECT_FALSE(can_read(beta, hidden)) << hidden;
    EXPECT_FALSE(can_read("", hidden)) << hidden;
  }
  EXPECT_EQ(ask("GET", "/api/v1/catalog/search", "").at("total_count"), 0);
  EXPECT_EQ(ask("GET", "/api/v1/catalog/search", acme).at("total_count"), 1);
  const nlohmann::json wanted = {
      {"items", {{{"descriptors", {{{"attr_path", "web"}, {"systems", {"x86_64-linux"}}}}}}}}};
  EXPECT_EQ(
      ask("POST", "/api/v1/catalog/resolve", "", wanted)["items"][0]["messages"][0]["context"]["advice"],
      "Run 'flox search TERM' to see what there is.");
  EXPECT_TRUE(ask("POST", "/api/v1/catalog/resolve", acme, wanted)["items"][0]["page"]["complete"]);
  // Nobody else publishes what is made of it, or gets it by its narinfo alone.
  nlohmann::json copy = record();
  copy["name"] = "copy";
  ServerRequest request{.method = "POST",
                        .path = "/api/v1/catalog/packages/copy/builds",
                        .headers = {{"authorization", "Bearer " + beta}},
                        .body = copy.dump()};
  EXPECT_EQ(refusal([&] { api_.handle(request); }), ErrorKind::invalid_input);
  const std::string text = cache_.narinfo(path('0'))->to_string();
  EXPECT_EQ(refusal([&] { put("/cache/" + nix::narinfo_name(path('0')), text, beta); }),
            ErrorKind::not_found);
  EXPECT_FALSE(can_read(beta, narinfo));
  // Whoever has the content may have it here, too.
  upload_as(beta, '0', "library");
  EXPECT_TRUE(can_read(beta, narinfo));
  EXPECT_TRUE(can_read(beta, nar));
}

TEST_F(ApiTest, what_a_public_thing_needs_is_public_and_stays_so) {
  make_owner("acme", true);
  const std::string acme = token_of("acme", "admin");
  upload_as(acme, '0', "library");
  post(record(), acme);
  const std::string narinfo = "/cache/" + nix::narinfo_name(path('0'));
  EXPECT_FALSE(can_read("", narinfo));
  ask("POST", "/api/v1/owners/acme/packages/web", acme, {{"private", false}});
  EXPECT_TRUE(can_read("", narinfo));
  EXPECT_TRUE(can_read("", "/api/v1/catalog/packages/web"));
  ask("POST", "/api/v1/owners/acme/packages/web", acme, {{"private", true}});
  EXPECT_FALSE(can_read("", "/api/v1/catalog/packages/web"));
  EXPECT_TRUE(can_read("", narinfo));
}

TEST_F(ApiTest, a_public_environment_gives_away_no_path_of_others) {
  make_owner("acme", true);
  make_owner("beta");
  upload_as(token_of("acme"), '0', "library");
  const nlohmann::json environment = {{"manifest", "x"},
                                      {"lock",
                                       {{"lockfile-version", 1},
                                        {"manifest", {{"text", "x"}}},
                                        {"packages",
                                         {{{"attr_path", "web"},
                                           {"install_id", "web"},
                                           {"version", "1"},
                                           {"system", "x86_64-linux"},
                                           {"outputs", {{"out", path('0').to_string()}}}}}}}}};
  const std::string beta = token_of("beta", "admin");
  ask("POST", "/api/v1/environments/beta/web", beta, environment);
  ask("POST", "/api/v1/owners/beta/environments/web", beta, {{"private", false}});
  EXPECT_FALSE(can_read(beta, "/cache/" + nix::narinfo_name(path('0'))));
  EXPECT_FALSE(can_read("", "/cache/" + nix::narinfo_name(path('0'))));
}

TEST_F(ApiTest, tokens_are_made_listed_and_revoked_by_whom_they_concern) {
  make_owner("acme");
  make_owner("beta");
  const std::string admin = token_of("acme", "admin");
  const std::string publish = token_of("acme");
  EXPECT_EQ(refusal([&] {
              ask("POST", "/api/v1/auth/tokens", publish, {{"owner", "acme"}, {"scope", "read"}});
            }),
            ErrorKind::untrusted);
  EXPECT_EQ(refusal([&] {
              ask("POST", "/api/v1/auth/tokens", admin, {{"owner", "beta"}, {"scope", "read"}});
            }),
            ErrorKind::untrusted);
  const auto made =
      ask("POST", "/api/v1/auth/tokens", admin, {{"owner", "acme"}, {"scope", "read"}, {"days", 1}});
  const auto listed = ask("GET", "/api/v1/auth/tokens", "secret").at("items");
  EXPECT_EQ(listed.size(), 3u);
  EXPECT_EQ(listed.dump().find(made.at("token").get<std::string>()), std::string::npos);
  const std::string path = "/api/v1/auth/tokens/" + made.at("id").get<std::string>();
  EXPECT_EQ(refusal([&] { ask("DELETE", path, token_of("beta", "admin")); }), ErrorKind::not_found);
  EXPECT_EQ(refusal([&] { ask("DELETE", path, publish); }), ErrorKind::not_found);
  EXPECT_NE(ask("DELETE", path, admin).at("revoked_at"), "");
  EXPECT_EQ(refusal([&] { ask("GET", "/api/v1/auth/whoami", made.at("token")); }), ErrorKind::untrusted);
  for (const nlohmann::json& bad :
       std::vector<nlohmann::json>{{{"owner", "acme"}},
                                   {{"owner", "acme"}, {"scope", "all"}},
                                   {{"owner", "acme"}, {"scope", "read"}, {"days", 0}},
                                   {{"owner", "acme"}, {"scope", "read"}, {"days", 1000}},
                                   {{"owner", "acme"}, {"scope", "read"}, {"x", 1}},
                                   {{"owner", "acme"}, {"scope", "read"}, {"description", "a\nb"}},
                                   nlohmann::json::array()})
    EXPECT_EQ(refusal([&] { ask("POST", "/api/v1/auth/tokens", admin, bad); }), ErrorKind::invalid_input)
        << bad;
}

TEST_F(ApiTest, only_the_operator_makes_owners_and_only_members_see_them) {
  make_owner("acme");
  EXPECT_EQ(refusal([&] { make_owner("acme"); }), ErrorKind::conflict);
  EXPECT_EQ(refusal([&] { make_owner("a/b"); }), ErrorKind::invalid_input);
  const std::string admin = token_of("acme", "admin");
  EXPECT_EQ(refusal([&] {
              ask("POST", "/api/v1/owners", admin, {{"name", "x"}, {"private", false}});
            }),
            ErrorKind::untrusted);
  ask("POST", "/api/v1/owners/acme/members", admin, {{"user", "ada@example.com"}, {"role", "publish"}});
  EXPECT_EQ(ask("GET", "/api/v1/owners/acme", admin).at("members").size(), 1u);
  make_owner("beta");
  EXPECT_EQ(refusal([&] { ask("GET", "/api/v1/owners/acme", token_of("beta", "admin")); }),
            ErrorKind::not_found);
  EXPECT_EQ(
      refusal([&] {
        ask("POST", "/api/v1/owners/acme/members", token_of("acme"), {{"user", "eve"}, {"role", "admin"}});
      }),
      ErrorKind::untrusted);
  for (const char* user : {"", "@eve", "e ve", "e\nve"})
    EXPECT_EQ(refusal([&] {
                ask("POST", "/api/v1/owners/acme/members", admin, {{"user", user}, {"role", "read"}});
              }),
              ErrorKind::invalid_input)
        << user;
  ask("DELETE", "/api/v1/owners/acme/members/ada@example.com", admin);
  EXPECT_EQ(refusal([&] { ask("DELETE", "/api/v1/owners/acme/members/ada@example.com", admin); }),
            ErrorKind::not_found);
}

TEST_F(ApiTest, whoever_publishes_for_several_owners_says_for_which) {
  make_owner("acme");
  make_owner("beta");
  for (const char* owner : {"acme", "beta"})
    accounts_.owners.put_member(owner, {.user = "ada@example.com", .role = Role::publish});
  Token token{.user = "ada@example.com", .role = Role::admin};
  const std::string ada = accounts_.identity.create(token).reveal();
  upload_as(ada, '0', "library");
  EXPECT_EQ(refusal([&] { post(record(), ada); }), ErrorKind::invalid_input);
  nlohmann::json owned = record();
  owned["owner"] = "beta";
  EXPECT_EQ(post(owned, ada).status, 201);
  EXPECT_EQ(post(record(), ada).status, 200);
  EXPECT_EQ(accounts_.holdings.find(Kind::package, "web")->owner, "beta");
  // Before it was published, the file was its uploader's alone.
  upload_as(ada, '1', "other");
  EXPECT_TRUE(can_read(ada, "/cache/" + nix::narinfo_name(path('1'))));
  EXPECT_FALSE(can_read(token_of("beta"), "/cache/" + nix::narinfo_name(path('1'))));
}

TEST_F(ApiTest, whoever_reads_what_is_private_to_one_owner_does_not_publish_it_for_another) {
  make_owner("acme", true);
  make_owner("beta");
  accounts_.owners.put_member("acme", {.user = "ada@example.com", .role = Role::read});
  accounts_.owners.put_member("beta", {.user = "ada@example.com", .role = Role::publish});
  Token token{.user = "ada@example.com", .role = Role::admin};
  const std::string ada = accounts_.identity.create(token).reveal();
  upload_as(token_of("acme"), '0', "library");
  const std::string narinfo = "/cache/" + nix::narinfo_name(path('0'));
  EXPECT_TRUE(can_read(ada, narinfo));
  EXPECT_EQ(refusal([&] { post(record(), ada); }), ErrorKind::untrusted);
  EXPECT_FALSE(accounts_.holdings.find(Kind::package, "web"));
  nlohmann::json owned = record();
  owned["owner"] = "beta";
  EXPECT_EQ(refusal([&] { post(owned, "secret"); }), ErrorKind::untrusted)
      << "nor does the operator by mistake";
  EXPECT_FALSE(can_read("", narinfo));
}

TEST_F(ApiTest, an_expired_token_still_reads_what_is_public_and_says_why_it_reads_no_more) {
  Token token{.owner = "acme", .role = Role::publish, .expires_at = 1};
  const Secret secret = accounts_.identity.create(token);
  EXPECT_NO_THROW(ask("GET", "/cache/nix-cache-info", secret.reveal()));
  try {
    ask("GET", "/api/v1/environments/acme/web", secret.reveal());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("has expired"), std::string::npos);
  }
}

}  // namespace
}  // namespace flox::server
