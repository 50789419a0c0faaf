#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "nix/base32.h"
#include "server/api.h"
#include "server/cache_files.h"
#include "server/records.h"
#include "server/resolve.h"
#include "server/suggest.h"

namespace flox::server {
namespace {

using testing::HasSubstr;

catalog::PackageBuild build(std::string name, std::string version, std::string variant = "",
                            char digit = '0') {
  catalog::PackageBuild made{.name = name,
                             .version = version,
                             .system = "x86_64-linux",
                             .variant = variant,
                             .description = "About " + name};
  made.outputs.emplace("out", nix::StorePath::from_base_name(std::string(32, digit) + "-" + name));
  return made;
}

class RecordsTest : public testing::Test {
 protected:
  nlohmann::json resolve_one(std::string name, std::string version, std::string level = "x86-64-v2") {
    nlohmann::json wanted = {{"install_id", "i"},
                             {"attr_path", name},
                             {"version", version},
                             {"systems", {"x86_64-linux"}},
                             {"cpu_level", level}};
    return resolve(records_, {{"items", {{{"name", "toplevel"}, {"descriptors", {wanted}}}}}},
                   "http://c")["items"][0];
  }
  TempDir dir_;
  Records records_{dir_.path() / "db"};
};

TEST_F(RecordsTest, a_published_version_never_changes) {
  EXPECT_TRUE(records_.add(build("web", "1.0")));
  EXPECT_FALSE(records_.add(build("web", "1.0")));
  EXPECT_THROW(records_.add(build("web", "1.0", "", '1')), Error);
  EXPECT_EQ(records_.count(), 1);
}

TEST_F(RecordsTest, the_newest_version_that_satisfies_is_resolved) {
  for (const char* version : {"1.9", "1.10", "2.0"}) records_.add(build("web", version));
  EXPECT_EQ(resolve_one("web", "")["page"]["packages"][0]["version"], "2.0");
  EXPECT_EQ(resolve_one("web", "^1")["page"]["packages"][0]["version"], "1.10");
}

TEST_F(RecordsTest, the_best_variant_that_the_cpu_can_run_is_resolved) {
  records_.add(build("web", "1.0", "", '0'));
  records_.add(build("web", "1.0", "x86-64-v3", '3'));
  records_.add(build("web", "1.0", "x86-64-v4", '4'));
  auto variant = [&](const std::string& level) {
    return resolve_one("web", "", level)["page"]["packages"][0].value("variant", "none");
  };
  EXPECT_EQ(variant("x86-64-v4"), "x86-64-v4");
  EXPECT_EQ(variant("x86-64-v3"), "x86-64-v3");
  EXPECT_EQ(variant("x86-64-v2"), "none");
}

TEST_F(RecordsTest, what_cannot_be_resolved_is_explained) {
  records_.add(build("ticket-processor", "1.0"));
  auto unknown = resolve_one("ticket-procesor", "");
  EXPECT_FALSE(unknown["page"]["complete"]);
  EXPECT_THAT(unknown["messages"][0]["context"]["advice"].get<std::string>(),
              HasSubstr("did you mean ticket-processor?"));
  EXPECT_THAT(resolve_one("ticket-processor", "3")["messages"][0]["context"]["advice"].get<std::string>(),
              HasSubstr("1.0"));
}

TEST_F(RecordsTest,
       a_version_that_leads_up_to_a_release_is_taken_only_if_it_is_asked_for_or_nothing_else_will_do) {
  records_.add(build("web", "1.0"));
  records_.add(build("web", "1.1-rc1"));
  records_.add(build("next", "0.1-rc1"));
  EXPECT_EQ(resolve_one("web", "")["page"]["packages"][0]["version"], "1.0");
  EXPECT_EQ(resolve_one("web", "1.1-rc1")["page"]["packages"][0]["version"], "1.1-rc1");
  EXPECT_EQ(resolve_one("next", "")["page"]["packages"][0]["version"], "0.1-rc1");
  EXPECT_EQ(records_.search("web")[0].version, "1.0");
  EXPECT_EQ(records_.search("next")[0].version, "0.1-rc1");
}

TEST_F(RecordsTest, a_build_that_the_cpu_cannot_run_is_told_from_a_version_that_is_not_there) {
  records_.add(build("web", "1.0", "x86-64-v4"));
  EXPECT_EQ(resolve_one("web", "1.0", "x86-64-v2")["messages"][0]["type"], "constraints_too_tight");
  EXPECT_EQ(resolve_one("web", "2.0", "x86-64-v2")["messages"][0]["type"], "version_not_found");
}

TEST_F(RecordsTest, a_locked_package_has_every_member_that_flox_requires) {
  records_.add(build("web", "1.0"));
  auto package = resolve_one("web", "")["page"]["packages"][0];
  for (const char* key :
       {"attr_path", "derivation", "install_id", "locked_url", "name", "pname", "rev", "rev_count",
        "rev_date", "scrape_date", "version", "outputs", "system", "group", "priority"})
    EXPECT_TRUE(package.contains(key) && !package[key].is_null()) << key;
}

TEST_F(RecordsTest, a_malformed_request_is_refused_by_the_member_at_fault) {
  auto web = [](nlohmann::json members) {
    nlohmann::json descriptor = {{"attr_path", "web"}, {"systems", {"x86_64-linux"}}};
    descriptor.update(members);
    return nlohmann::json{{"items", {{{"descriptors", {descriptor}}}}}};
  };
  EXPECT_NO_THROW(resolve(records_, web(nlohmann::json::object()), "http://c"));
  using Case = std::pair<nlohmann::json, const char*>;
  for (const auto& [request, culprit] : {Case{nlohmann::json::array(), "items"},
                                         {{{"items", 1}}, "items"},
                                         {{{"items", {1}}}, "name"},
                                         {{{"items", {nlohmann::json::object()}}}, "descriptors"},
                                         {web({{"attr_path", 1}}), "attr_path"},
                                         {web({{"version", 3}}), "version"},
                                         {web({{"systems", "x86_64-linux"}}), "systems"},
                                         {web({{"cpu_level", true}}), "cpu_level"},
                                         {web({{"allow_pre_releases", "yes"}}), "allow_pre_releases"}}) {
    try {
      resolve(records_, request, "http://c");
      FAIL() << request;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_input) << request;
      EXPECT_THAT(error.what(), HasSubstr(culprit)) << request;
    }
  }
}

TEST_F(RecordsTest, search_can_be_for_one_system) {
  records_.add(build("web", "1.0"));
  EXPECT_EQ(records_.search("web", "x86_64-linux").size(), 1u);
  EXPECT_TRUE(records_.search("web", "aarch64-linux").empty());
}

TEST_F(RecordsTest, search_looks_into_names_and_descriptions_and_takes_the_term_as_it_is) {
  records_.add(build("web", "1.0"));
  records_.add(build("web", "1.1"));
  records_.add(build("other", "1.0"));
  ASSERT_EQ(records_.search("WE").size(), 1u);
  EXPECT_EQ(records_.search("WE")[0].version, "1.1");
  EXPECT_EQ(records_.search("about").size(), 2u);
  EXPECT_TRUE(records_.search("%").empty());
  EXPECT_TRUE(records_.search("' or 1=1 --").empty());
}

TEST(CacheFiles, find_only_names_that_a_cache_has) {
  TempDir dir;
  CacheFiles cache(dir.path() / "cache");
  write_file(dir.path() / "secret", "x");
  EXPECT_TRUE(cache.find("nix-cache-info"));
  for (const char* name : {"../secret", "nar/../../secret", "", "uploads", "/etc/passwd",
                           "00000000000000000000000000000000.narinfo"})
    EXPECT_FALSE(cache.find(name)) << name;
}

TEST(Suggestions, are_the_closest_names_and_never_those_of_a_hostile_length) {
  std::vector<std::string> names = {"hello", "help", "python3", "ticket-processor", "ticket-processor-avx2"};
  EXPECT_EQ(advice_for_unknown("helo", names), "did you mean hello, help?");
  EXPECT_THAT(advice_for_unknown("ticket-procesor", names), HasSubstr("did you mean ticket-processor"));
  EXPECT_THAT(advice_for_unknown("zzzzzz", names), HasSubstr("flox search"));
  EXPECT_THAT(advice_for_unknown(std::string(1'000'000, 'h'), names), HasSubstr("flox search"));
}

// A cache with uploads as flox publish makes them: key, NAR and narinfo of paths that hold one text.
class UploadTest : public testing::Test {
 protected:
  nix::NarInfo upload_nar(char digit, const std::string& content) {
    Sha256Digest hash = sha256(content);
    nix::NarInfo narinfo{.info = {.path = path(digit), .nar_hash = hash, .nar_size = content.size()}};
    narinfo.file_hash = hash;
    narinfo.file_size = content.size();
    narinfo.url = "nar/" + nix::to_base32(bytes_of(hash)) + ".nar";
    accept(narinfo.url, content);
    return narinfo;
  }
  nix::NarInfo upload(char digit, const std::string& content, const nix::StorePathSet& references = {}) {
    nix::NarInfo narinfo = upload_nar(digit, content);
    narinfo.info.references = references;
    accept(narinfo);
    return narinfo;
  }
  static nix::StorePath path(char digit) {
    return nix::StorePath::from_base_name(std::string(32, digit) + "-web");
  }
  void accept(const std::string& name, const std::string& content) {
    write_file(dir_.path() / "upload", content);
    cache_.accept(name, dir_.path() / "upload");
  }
  void accept(nix::NarInfo narinfo, const char* key_name = "k") {
    if (key_name != nullptr)
      narinfo.info.signatures.push_back(std::string(key_name) + ":" + std::string(86, 'A') + "==");
    accept(std::string(narinfo.info.path.digest()) + ".narinfo", narinfo.to_string());
  }
  ErrorKind refusal(const std::function<void()>& upload) {
    try {
      upload();
    } catch (const Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << "was accepted";
    return ErrorKind::internal;
  }

  TempDir dir_;
  CacheFiles cache_{dir_.path() / "cache"};
};

TEST_F(UploadTest, a_path_whose_nar_and_references_are_here_is_taken) {
  upload('0', "library");
  upload('1', "program", {path('0'), path('1')});
  EXPECT_EQ(cache_.closure({path('1')}).size(), 2u);
}

TEST_F(UploadTest, what_does_not_prove_itself_is_refused) {
  EXPECT_EQ(refusal([&] { accept("nar/" + std::string(52, '0') + ".nar", "x"); }), ErrorKind::untrusted);
  nix::NarInfo narinfo = upload_nar('0', "library");
  EXPECT_EQ(refusal([&] { accept(narinfo, nullptr); }), ErrorKind::untrusted);
  nix::NarInfo dangling = narinfo;
  dangling.info.references = {path('5')};
  EXPECT_EQ(refusal([&] { accept(dangling); }), ErrorKind::not_found);
  nix::NarInfo lying = narinfo;
  lying.file_size = 3;
  EXPECT_EQ(refusal([&] { accept(lying); }), ErrorKind::untrusted);
  nix::NarInfo elsewhere = narinfo;
  elsewhere.url = "http://elsewhere/" + narinfo.url;
  EXPECT_EQ(refusal([&] { accept(elsewhere); }), ErrorKind::not_found);
  EXPECT_EQ(refusal([&] { accept(std::string(32, '1') + ".narinfo", narinfo.to_string()); }),
            ErrorKind::invalid_input);
  EXPECT_EQ(refusal([&] { accept("x", "x"); }), ErrorKind::invalid_input);
  EXPECT_FALSE(cache_.narinfo(path('0')));
}

TEST_F(UploadTest, a_path_keeps_its_content_and_gains_signatures) {
  nix::NarInfo narinfo = upload('0', "library");
  accept(narinfo, "other");
  EXPECT_EQ(cache_.narinfo(path('0'))->info.signatures.size(), 2u);
  nix::NarInfo changed = upload_nar('0', "changed library");
  EXPECT_EQ(refusal([&] { accept(changed); }), ErrorKind::conflict);
  EXPECT_EQ(cache_.narinfo(path('0'))->info.nar_hash, narinfo.info.nar_hash);
}

TEST_F(UploadTest, a_closure_with_a_hole_is_none) {
  nix::NarInfo library = upload('0', "library");
  upload('1', "program", {path('0')});
  fs::remove(dir_.path() / "cache" / library.url);
  EXPECT_EQ(refusal([&] { cache_.closure({path('1')}); }), ErrorKind::invalid_input);
}

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
  Records records_{dir_.path() / "db"};
  EnvironmentRecords environments_{dir_.path() / "environments"};
  Api api_{records_, environments_, cache_, "secret"};
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

TEST_F(ApiTest, without_the_token_nothing_is_changed_and_everything_read) {
  upload('0', "library");
  EXPECT_EQ(refusal([&] { post(record(), "wrong"); }), ErrorKind::untrusted);
  for (const char* method : {"PUT", "DELETE", "POST"})
    EXPECT_EQ(refusal([&] { api_.admit({.method = method, .path = "/cache/nix-cache-info"}); }),
              ErrorKind::untrusted);
  Api read_only(records_, environments_, cache_, "");
  EXPECT_EQ(
      refusal([&] {
        read_only.admit({.method = "PUT", .path = "/cache/x", .headers = {{"authorization", "Bearer "}}});
      }),
      ErrorKind::untrusted);
  EXPECT_NO_THROW(api_.admit({.method = "GET", .path = "/cache/nix-cache-info"}));
  EXPECT_NO_THROW(api_.admit({.method = "POST", .path = "/api/v1/catalog/resolve"}));
}

TEST_F(ApiTest, an_unknown_package_comes_with_the_names_that_are_near) {
  upload('0', "library");
  post(record());
  try {
    api_.handle({.method = "GET", .path = "/api/v1/catalog/packages/wep"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_EQ(error.advice(), "did you mean web?");
  }
}

}  // namespace
}  // namespace flox::server
