#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"
#include "nix/base32.h"
#include "nix/cache_layout.h"
#include "server/api/api.h"
#include "server/api/resolve.h"
#include "server/api/suggest.h"
#include "server/files/cache_files.h"
#include "server/records/records.h"
#include "server/records/registered_keys.h"
#include "store/cache/compress.h"

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
              HasSubstr("Did you mean ticket-processor?"));
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

TEST_F(RecordsTest, a_request_and_its_answer_have_limits) {
  for (int i = 0; i < 100; ++i) records_.add(build("web", fmt::format("1.{}", i)));
  const auto asking = [](nlohmann::json systems, size_t descriptors = 1, const std::string& name = "web") {
    const nlohmann::json one = {{"attr_path", name}, {"systems", std::move(systems)}, {"version", "9"}};
    return nlohmann::json{
        {"items", {{{"name", "g"}, {"descriptors", std::vector<nlohmann::json>(descriptors, one)}}}}};
  };
  const auto refusal = [&](const nlohmann::json& request) -> std::string {
    try {
      resolve(records_, request, "http://c");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal(asking({"x86_64-linux", "aarch64-darwin"}, 1000)), "");
  EXPECT_THAT(refusal(asking(std::vector<std::string>(17, "x86_64-linux"))), HasSubstr("'systems'"));
  for (const char* system : {"", "linux", "-", "x-", "-x", "x86_64-linux\n", "X-Y", "../x"})
    EXPECT_THAT(refusal(asking({system})), HasSubstr("'systems'")) << system;
  EXPECT_THAT(refusal(asking({"x86_64-linux"}, 1001)), HasSubstr("'descriptors'"));
  EXPECT_THAT(refusal(asking({"x86_64-linux"}, 1, std::string(300, 'w'))), HasSubstr("'attr_path'"));
  std::vector<std::string> systems;
  for (int i = 0; i < 16; ++i) systems.push_back(fmt::format("x{}-linux", i));
  EXPECT_THAT(refusal(asking(systems, 1000)), HasSubstr("the answer would be over"));
  EXPECT_THAT(refusal({{"items", std::vector<int>(101)}}), HasSubstr("'items'"));
  // Each condition is compared with each version: what that comes to has a limit, too.
  auto costly = asking({"x86_64-linux"}, 1000);
  const auto conditions = [](size_t count) {
    return fmt::format("{}", fmt::join(std::vector<std::string>(count, "<11111"), ","));
  };
  for (auto& one : costly["items"][0]["descriptors"]) one["version"] = conditions(16);
  EXPECT_THAT(refusal(costly), HasSubstr("too many versions"));
  costly["items"][0]["descriptors"][0]["version"] = conditions(17);
  EXPECT_THAT(refusal(costly), HasSubstr("more than 16 conditions"));
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
  const RegisteredKeys keys;
  CacheFiles cache(dir.path() / "cache", keys);
  write_file(dir.path() / "secret", "x");
  EXPECT_TRUE(cache.find("nix-cache-info"));
  for (const char* name : {"../secret", "nar/../../secret", "", "uploads", "/etc/passwd",
                           "00000000000000000000000000000000.narinfo"})
    EXPECT_FALSE(cache.find(name)) << name;
}

TEST(Suggestions, are_the_closest_names_and_never_those_of_a_hostile_length) {
  std::vector<std::string> names = {"hello", "help", "python3", "ticket-processor", "ticket-processor-avx2"};
  EXPECT_EQ(advice_for_unknown("helo", names), "Did you mean hello, help?");
  EXPECT_THAT(advice_for_unknown("ticket-procesor", names), HasSubstr("Did you mean ticket-processor"));
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
  // The same, compressed.
  nix::NarInfo upload_zstd(char digit, const std::string& content) {
    std::string file;
    const auto compressor = store::make_compressor({.method = "zstd"}, content.size(), 1,
                                                   [&](std::string_view piece) { file += piece; });
    compressor->feed(content);
    compressor->finish();
    nix::NarInfo narinfo{
        .info = {.path = path(digit), .nar_hash = sha256(content), .nar_size = content.size()}};
    narinfo.compression = "zstd";
    narinfo.file_hash = sha256(file);
    narinfo.file_size = file.size();
    narinfo.url = "nar/" + nix::to_base32(bytes_of(*narinfo.file_hash)) + ".nar.zst";
    accept(narinfo.url, file);
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
    const auto sink = cache_.begin(name);
    for (size_t at = 0; at < content.size(); at += 100'000) sink->write(content.substr(at, 100'000));
    cache_.accept(name, *sink);
  }
  void put_narinfo(const nix::NarInfo& narinfo) {
    accept(std::string(narinfo.info.path.digest()) + ".narinfo", narinfo.to_string());
  }
  void accept(nix::NarInfo narinfo) { accept(std::move(narinfo), key_); }
  void accept(nix::NarInfo narinfo, const nix::SecretKey& key) {
    narinfo.info.signatures.push_back(key.sign(narinfo.info.fingerprint()));
    put_narinfo(narinfo);
  }
  std::vector<std::string> signatures(char digit) { return cache_.narinfo(path(digit))->info.signatures; }
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
  nix::SecretKey key_ = nix::SecretKey::generate("k");
  nix::SecretKey other_ = nix::SecretKey::generate("other");
  RegisteredKeys keys_{{key_.public_key().to_string(), other_.public_key().to_string() + " tool-* libweb"}};
  CacheFiles cache_{dir_.path() / "cache", keys_};
};

TEST_F(UploadTest, a_path_whose_nar_and_references_are_here_is_taken) {
  upload('0', "library");
  upload('1', "program", {path('0'), path('1')});
  EXPECT_EQ(cache_.closure({path('1')}).size(), 2u);
}

TEST_F(UploadTest, what_does_not_prove_itself_is_refused) {
  EXPECT_EQ(refusal([&] { accept("nar/" + std::string(52, '0') + ".nar", "x"); }), ErrorKind::untrusted);
  nix::NarInfo narinfo = upload_nar('0', "library");
  EXPECT_EQ(refusal([&] { put_narinfo(narinfo); }), ErrorKind::untrusted);
  const auto changed = [&](auto&& change) {
    nix::NarInfo copy = narinfo;
    change(copy);
    return refusal([&] { accept(copy); });
  };
  EXPECT_EQ(changed([](auto& n) { n.info.references = {path('5')}; }), ErrorKind::not_found);
  EXPECT_EQ(changed([](auto& n) { n.file_size = 3; }), ErrorKind::untrusted);
  EXPECT_EQ(changed([](auto& n) { n.file_size = std::nullopt; }), ErrorKind::untrusted);
  EXPECT_EQ(changed([](auto& n) { n.file_hash = sha256("x"); }), ErrorKind::untrusted);
  EXPECT_EQ(changed([](auto& n) { n.info.nar_hash = sha256("x"); }), ErrorKind::untrusted);
  EXPECT_EQ(changed([](auto& n) { n.info.nar_size = 8; }), ErrorKind::untrusted);
  EXPECT_EQ(changed([](auto& n) { n.compression = "zstd"; }), ErrorKind::invalid_input);
  for (const char* url : {"http://elsewhere/", "http://169.254.169.254/", "../", "/"})
    EXPECT_EQ(changed([&](auto& n) { n.url = url + n.url; }), ErrorKind::not_found);
  EXPECT_EQ(refusal([&] { accept(std::string(32, '1') + ".narinfo", narinfo.to_string()); }),
            ErrorKind::invalid_input);
  for (const char* name : {"x", "../x", "nar/../x", "nix-cache-info"})
    EXPECT_EQ(refusal([&] { accept(name, "x"); }), ErrorKind::invalid_input) << name;
  EXPECT_FALSE(cache_.narinfo(path('0')));
}

TEST_F(UploadTest, a_compressed_nar_is_unpacked_to_see_that_it_is_what_its_narinfo_says) {
  std::string content;
  for (int i = 0; i < 300'000; ++i) content += std::to_string(i);
  const nix::NarInfo narinfo = upload_zstd('0', content);
  nix::NarInfo lying = narinfo;
  lying.info.nar_hash = sha256("x");
  EXPECT_EQ(refusal([&] { accept(lying); }), ErrorKind::untrusted);
  accept(narinfo);
  EXPECT_TRUE(cache_.narinfo(path('0')));
  // What a server that has been started since then does not know, it unpacks again.
  CacheFiles later(dir_.path() / "cache", keys_);
  nix::NarInfo second = narinfo;
  second.info.path = path('1');
  lying.info.path = path('1');
  for (auto* one : {&lying, &second}) {
    one->info.signatures = {key_.sign(one->info.fingerprint())};
    const std::string name = std::string(32, '1') + ".narinfo";
    const auto sink = later.begin(name);
    sink->write(one->to_string());
    if (one == &lying)
      EXPECT_EQ(refusal([&] { later.accept(name, *sink); }), ErrorKind::untrusted);
    else
      later.accept(name, *sink);
  }
  EXPECT_TRUE(later.narinfo(path('1')));
  EXPECT_EQ(refusal([&] { accept("nar/" + nix::to_base32(bytes_of(sha256("junk"))) + ".nar.zst", "junk"); }),
            ErrorKind::invalid_input);
}

TEST_F(UploadTest, a_small_file_that_unpacks_to_much_is_unpacked_no_further_than_it_says) {
  const nix::NarInfo narinfo = upload_zstd('0', std::string(200 << 20, '\0'));
  EXPECT_LT(*narinfo.file_size, 1u << 20);
  nix::NarInfo lying = narinfo;
  lying.info.nar_size = 100;
  EXPECT_EQ(refusal([&] { accept(lying); }), ErrorKind::untrusted);
  accept(narinfo);
  EXPECT_TRUE(cache_.narinfo(path('0')));
}

TEST_F(UploadTest, a_published_path_gains_valid_signatures_and_nothing_else) {
  nix::NarInfo narinfo = upload('0', "library");
  accept(narinfo, other_);
  EXPECT_EQ(signatures('0').size(), 2u);
  accept(narinfo, other_);
  EXPECT_EQ(signatures('0').size(), 2u);
  nix::NarInfo changed = upload_nar('0', "changed library");
  EXPECT_EQ(refusal([&] { accept(changed); }), ErrorKind::conflict);
  // The same content at another place: nobody could fetch it if that went away.
  changed = upload_zstd('0', "library");
  EXPECT_EQ(refusal([&] { accept(changed); }), ErrorKind::conflict);
  changed = narinfo;
  changed.info.references = {path('0')};
  EXPECT_EQ(refusal([&] { accept(changed); }), ErrorKind::conflict);
  changed = narinfo;
  changed.info.deriver = nix::StorePath::from_base_name(std::string(32, '9') + "-x.drv");
  changed.info.content_address = nix::ContentAddress::of_nar({});
  accept(changed);
  EXPECT_FALSE(cache_.narinfo(path('0'))->info.deriver);
  EXPECT_FALSE(cache_.narinfo(path('0'))->info.content_address);
  EXPECT_EQ(cache_.narinfo(path('0'))->url, narinfo.url);
  EXPECT_EQ(cache_.narinfo(path('0'))->info.nar_hash, narinfo.info.nar_hash);
}

TEST_F(UploadTest, a_signature_is_believed_for_its_key_and_not_for_its_name) {
  nix::NarInfo narinfo = upload_nar('0', "library");
  const nix::SecretKey forged = nix::SecretKey::generate("k");
  EXPECT_EQ(refusal([&] { accept(narinfo, forged); }), ErrorKind::untrusted);
  EXPECT_EQ(refusal([&] { accept(narinfo, nix::SecretKey::generate("stranger")); }), ErrorKind::untrusted);
  narinfo.info.signatures = {key_.sign("something else"), "k:" + std::string(86, 'A') + "==", "k", ":", ""};
  EXPECT_EQ(refusal([&] { put_narinfo(narinfo); }), ErrorKind::untrusted);
  narinfo.info.signatures = {forged.sign(narinfo.info.fingerprint())};
  accept(narinfo, key_);
  EXPECT_THAT(signatures('0'), testing::ElementsAre(key_.sign(narinfo.info.fingerprint())));
}

TEST_F(UploadTest, signatures_do_not_pile_up_whether_keys_are_registered_or_not) {
  nix::NarInfo narinfo = upload('0', "library");
  for (int i = 0; i < 300; ++i)
    narinfo.info.signatures.push_back(fmt::format("k{}:{}==", i, std::string(86, 'A')));
  accept(narinfo);
  EXPECT_EQ(signatures('0').size(), 1u);
  narinfo.info.signatures.resize(300, "k:" + std::string(300, 'A'));
  const std::string all = narinfo.to_string();
  EXPECT_EQ(refusal([&] {
              accept(std::string(32, '0') + ".narinfo", all + std::string(nix::max_narinfo_size, '\n'));
            }),
            ErrorKind::invalid_input);
  EXPECT_EQ(plausible_signatures({}).size(), 0u);
  std::vector<std::string> many;
  for (int i = 0; i < 300; ++i)
    for (int again = 0; again < 2; ++again)
      many.push_back(fmt::format("k{}:{}==", i, std::string(86, again == 0 ? 'A' : 'B')));
  EXPECT_EQ(plausible_signatures(many).size(), most_signatures);
  EXPECT_THAT(plausible_signatures({"a:xx", "b", ":", "c:" + std::string(86, 'A') + "==", "c:again"}),
              testing::SizeIs(1));
}

TEST_F(UploadTest, a_narinfo_does_not_grow_by_signatures_until_no_client_reads_it) {
  const auto long_name = [](char c) { return std::string(nix::max_narinfo_size / 5 * 3, c); };
  const nix::SecretKey first = nix::SecretKey::generate(long_name('a'));
  const nix::SecretKey second = nix::SecretKey::generate(long_name('b'));
  const RegisteredKeys keys({first.public_key().to_string(), second.public_key().to_string()});
  nix::NarInfo narinfo = upload_nar('0', "library");
  CacheFiles cache(dir_.path() / "cache", keys);
  const auto put = [&](const nix::SecretKey& key) {
    narinfo.info.signatures = {key.sign(narinfo.info.fingerprint())};
    const std::string name = nix::narinfo_name(narinfo.info.path);
    const auto sink = cache.begin(name);
    sink->write(narinfo.to_string());
    cache.accept(name, *sink);
  };
  put(first);
  EXPECT_EQ(refusal([&] { put(second); }), ErrorKind::invalid_input);
  EXPECT_THAT(cache.narinfo(path('0'))->info.signatures, testing::SizeIs(1));
}

TEST_F(UploadTest, what_is_uploaded_has_limits_and_what_nobody_publishes_goes) {
  CacheFiles small(dir_.path() / "small", keys_, {.max_upload = 1000, .max_store_bytes = 2000});
  const auto status_of = [&](std::string_view name, size_t size) {
    try {
      small.begin(name)->write(std::string(size, 'x'));
    } catch (const StatusError& error) {
      return error.status();
    }
    return 0;
  };
  const std::string nar = "nar/" + std::string(52, '0') + ".nar";
  EXPECT_EQ(status_of(nar, 900), 0);
  EXPECT_EQ(status_of(nar, 1001), 413);
  EXPECT_EQ(status_of(std::string(32, '0') + ".narinfo", nix::max_narinfo_size + 1), 413);
  auto held = small.begin(nar);
  held->write(std::string(1000, 'x'));
  EXPECT_EQ(status_of(nar, 999), 507);
  held.reset();
  // An upload that is given up leaves nothing, and room.
  EXPECT_LT(small.used(), 2000u);
  EXPECT_EQ(fs::directory_iterator(dir_.path() / "small/uploads"), fs::directory_iterator{});

  const nix::NarInfo published = upload('0', "library");
  const nix::NarInfo orphan = upload_nar('1', "orphan");
  EXPECT_EQ(cache_.remove_orphans(), 0u);
  for (const auto& url : {published.url, orphan.url})
    fs::last_write_time(dir_.path() / "cache" / url,
                        fs::file_time_type::clock::now() - std::chrono::hours(25));
  const uint64_t before = cache_.used();
  EXPECT_EQ(cache_.remove_orphans(), 1u);
  EXPECT_EQ(cache_.used(), before - std::string("orphan").size());
  EXPECT_TRUE(cache_.find(published.url));
  EXPECT_FALSE(cache_.find(orphan.url));
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
  CacheFiles cache(dir_.path() / "cache", none);
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
