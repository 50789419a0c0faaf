#include "env/locking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/lock_text.h"
#include "env/testing/any_resolver.h"

namespace flox::env {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

class LockingTest : public testing::Test {
 protected:
  static Manifest manifest(const std::string& text) {
    return Manifest::parse("version = 1\n" + text, "m.toml");
  }
  Lockfile lock(const std::string& text) { return lock(text, std::nullopt, std::nullopt); }
  Lockfile lock(const std::string& text, const std::optional<Lockfile>& old,
                const std::optional<Manifest>& old_manifest) {
    const Manifest wanted = manifest(text);
    return make_lock({.wanted = wanted, .old_lock = old, .old_manifest = old_manifest}, resolver_);
  }
  static std::vector<std::string> systems(const Lockfile& lock) {
    std::vector<std::string> result;
    for (const auto& package : lock.packages) result.push_back(package.install_id + " " + package.system);
    return result;
  }
  std::string refusal(const std::string& text, const std::optional<Lockfile>& old = {},
                      const std::optional<Manifest>& old_manifest = {}) {
    try {
      lock(text, old, old_manifest);
      return "nothing";
    } catch (const Error& error) {
      return std::string(error.what()) + " | " + error.advice();
    }
  }

  AnyResolver resolver_;
};

TEST_F(LockingTest, without_systems_locks_for_those_of_flox) {
  EXPECT_THAT(systems(lock("[install]\nb.pkg-path = 'b'\na.pkg-path = 'a'\na.systems = ['x86_64-linux']\n")),
              ElementsAre("a x86_64-linux", "b aarch64-darwin", "b aarch64-linux", "b x86_64-darwin",
                          "b x86_64-linux"));
}

TEST_F(LockingTest, without_systems_a_package_is_locked_where_it_is) {
  resolver_.has = {"x86_64-linux"};
  EXPECT_THAT(systems(lock("[install]\na.pkg-path = 'a'\n")), ElementsAre("a x86_64-linux"));
  resolver_.has = {};
  EXPECT_THAT(refusal("[install]\na.pkg-path = 'a'\n"), HasSubstr("no package 'a' for " + current_system()));
}

TEST_F(LockingTest, a_package_that_is_not_there_is_refused_with_its_place_unless_it_is_just_being_added) {
  const std::string before = "[install]\nb.pkg-path = 'b'\n";
  const Lockfile old = lock(before);
  resolver_.has = {};
  const std::string after = before + "a.pkg-path = 'a'\n";
  EXPECT_THAT(refusal(after), HasSubstr("m.toml:4:1: no package 'a'"));
  EXPECT_THAT(refusal(after, old, manifest(after)), HasSubstr("m.toml:4:1: no package 'a'"));
  EXPECT_TRUE(refusal(after, old, manifest(before)).starts_with("no package 'a'"));
  const std::optional<Lockfile> old_lock = old;
  const std::optional<Manifest> old_manifest = manifest(before);
  const Manifest wanted = manifest(after);
  try {
    make_lock({.wanted = wanted, .old_lock = old_lock, .old_manifest = old_manifest, .is_typed = true},
              resolver_);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("m.toml:4:1: no package 'a'"));
  }
}

TEST_F(LockingTest, a_store_path_that_is_none_is_refused_with_its_place) {
  EXPECT_THAT(refusal("[install]\nx.store-path = '/nix/store/../../etc'\n"),
              HasSubstr("m.toml:3:1: store path"));
}

TEST_F(LockingTest, advice_writes_an_id_as_a_manifest_has_it) {
  resolver_.has = {"x86_64-linux"};
  EXPECT_THAT(
      refusal("[options]\nsystems = ['aarch64-linux', 'x86_64-linux']\n[install]\n'a.b'.pkg-path = 'a'\n"),
      HasSubstr("Write \"a.b\".systems = [\"x86_64-linux\"]"));
}

TEST_F(LockingTest, a_version_that_is_none_is_refused_with_its_place) {
  struct : AnyResolver {
    LockedPackage resolve(std::string_view id, const InstallDescriptor& descriptor,
                          std::string_view system) override {
      if (descriptor.version == ">") fail(ErrorKind::invalid_input, "the version constraint '>' is none");
      return AnyResolver::resolve(id, descriptor, system);
    }
  } resolver;
  const Manifest wanted = manifest("[install]\nb.pkg-path = 'b'\na = { pkg-path = 'a', version = '>' }\n");
  const std::optional<Lockfile> no_lock;
  const std::optional<Manifest> no_manifest;
  try {
    make_lock({.wanted = wanted, .old_lock = no_lock, .old_manifest = no_manifest}, resolver);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "m.toml:4:23: the version constraint '>' is none");
  }
}

TEST_F(LockingTest, what_names_itself_in_a_circle_is_not_locked_but_read) {
  const std::string text = "[vars]\nA = '$B'\nB = '$A'\n";
  EXPECT_THAT(refusal(text), HasSubstr("m.toml:3:1: variables of [vars] name each other in a circle"));
  const Manifest wanted = manifest(text);
  const std::optional<Lockfile> no_lock;
  const std::optional<Manifest> no_manifest;
  EXPECT_EQ(make_lock({.wanted = wanted,
                       .old_lock = no_lock,
                       .old_manifest = no_manifest,
                       .anew = {},
                       .only_system = current_system()},
                      resolver_)
                .manifest,
            wanted.json);
}

TEST_F(LockingTest, a_stability_that_the_catalog_does_not_have_is_refused_unless_the_package_is_locked) {
  const std::string wish =
      "[install]\na = { pkg-path = 'a', pkg-group = 'g' }\n[pkg-groups.g]\nstability = 'staging'\n";
  EXPECT_THAT(refusal(wish), HasSubstr("m.toml:4:13: 'a' is to be chosen by the stability \"staging\""));
  EXPECT_THAT(refusal("[install]\na.pkg-path = 'a'\n[options]\nstability = 'unstable'\n"),
              HasSubstr("m.toml:5:1: 'a' is"));
  EXPECT_EQ(
      refusal("[install]\na = { pkg-path = 'a', pkg-group = 'g' }\n[pkg-groups.g]\nstability = 'stable'\n"
              "[options]\nstability = 'unstable'\n"),
      "nothing");
  const std::string before = "[install]\na = { pkg-path = 'a', pkg-group = 'g' }\n";
  EXPECT_EQ(refusal(wish, lock(before), manifest(before)), "nothing");
}

TEST_F(LockingTest, a_package_that_a_named_system_lacks_is_refused_with_what_to_write) {
  resolver_.has = {"x86_64-linux", "aarch64-linux"};
  EXPECT_THAT(
      refusal("[install]\na.pkg-path = 'a'\n[options]\nsystems = ['aarch64-darwin', 'x86_64-linux']\n"),
      HasSubstr("m.toml:3:1: there is no package 'a' for aarch64-darwin | Write a.systems = "
                "[\"x86_64-linux\"]"));
}

TEST_F(LockingTest, systems_of_a_package_are_those_that_have_it) {
  resolver_.has = {"x86_64-linux"};
  const auto [wanted, found] =
      systems_of_package("a", {.pkg_path = "a"},
                         manifest("[options]\nsystems = ['aarch64-darwin', 'x86_64-linux']\n"), resolver_);
  EXPECT_THAT(wanted, ElementsAre("aarch64-darwin", "x86_64-linux"));
  EXPECT_THAT(found, ElementsAre("x86_64-linux"));
}

TEST_F(LockingTest, for_a_reader_resolves_for_its_system_and_keeps_the_rest) {
  const std::string text = "[install]\na.pkg-path = 'a'\n";
  const std::optional<Lockfile> old = lock(text);
  const Manifest wanted = manifest(text + "b.pkg-path = 'b'\n");
  resolver_.asked = 0;
  const Lockfile now = make_lock(
      {.wanted = wanted, .old_lock = old, .old_manifest = std::nullopt, .only_system = current_system()},
      resolver_);
  EXPECT_EQ(resolver_.asked, 1);
  EXPECT_EQ(now.packages.size(), 5u);
}

// Remembers how many questions it was asked at a time.
class CountingResolver : public AnyResolver {
 public:
  std::vector<size_t> questions;
  std::vector<Answer> resolve_all(std::span<const PackageQuestion> all) override {
    questions.push_back(all.size());
    return AnyResolver::resolve_all(all);
  }
};

TEST_F(LockingTest, all_that_is_missing_is_asked_for_at_once) {
  CountingResolver resolver;
  resolver.has = {"x86_64-linux", "aarch64-linux"};
  const std::string text = "[install]\na.pkg-path = 'a'\nb.pkg-path = 'b'\n";
  const Manifest before = manifest(text), wanted = manifest(text + "c.pkg-path = 'c'\nd.pkg-path = 'd'\n");
  const std::optional<Lockfile> old =
      make_lock({.wanted = before, .old_lock = std::nullopt, .old_manifest = std::nullopt}, resolver);
  const Lockfile now = make_lock({.wanted = wanted, .old_lock = old, .old_manifest = before}, resolver);
  EXPECT_THAT(resolver.questions, ElementsAre(8, 8));
  EXPECT_EQ(now.packages.size(), 8u);
  systems_of_package("e", {.pkg_path = "e"}, wanted, resolver);
  EXPECT_EQ(resolver.questions.back(), 4u);
}

TEST_F(LockingTest, tables_that_are_empty_do_not_make_a_difference) {
  Lockfile made = lock("[install]\na.pkg-path = 'a'\n");
  made.manifest["hook"] = json::object();
  made.manifest["options"] = {{"allow", {{"licenses", json::array()}}}, {"semver", nullptr}};
  EXPECT_TRUE(locks(made, manifest("[install]\na.pkg-path = 'a'\n[vars]\n")));
  EXPECT_FALSE(locks(made, manifest("[install]\na.pkg-path = 'b'\n")));
  EXPECT_FALSE(locks(made, manifest("[install]\na.pkg-path = 'a'\n[vars]\nA = ''\n")));
}

TEST_F(LockingTest, keeps_what_it_does_not_know) {
  const std::string text = "[install]\na.pkg-path = 'a'\n";
  Lockfile old = lock(text);
  old.other["later"] = {1, 2};
  old.packages[0].json["later"] = "kept";
  old.manifest["hook"] = json::object();
  const Lockfile after = lock(text + "b.pkg-path = 'b'\n", old, manifest(text));
  EXPECT_EQ(after.other["later"], old.other["later"]);
  EXPECT_EQ(after.packages[0].json["later"], "kept");
  EXPECT_TRUE(after.manifest.contains("hook"));
  EXPECT_EQ(lock(text, after, manifest(text + "b.pkg-path = 'b'\n")).to_string(), old.to_string());
}

TEST_F(LockingTest, a_flake_is_kept_as_it_is_locked_and_refused_once_it_changes) {
  const std::string text = "[install]\nt.flake = 'github:a/t#v1'\nt.systems = ['x86_64-linux']\n";
  Lockfile old;
  old.manifest = manifest(text).json;
  old.packages.push_back(
      LockedPackage::from_json({{"install_id", "t"},
                                {"system", "x86_64-linux"},
                                {"outputs", {{"out", "/nix/store/00000000000000000000000000000000-t"}}}}));
  EXPECT_EQ(lock(text + "t.priority = 3\n", old, manifest(text)).packages.at(0).priority, 3);
  EXPECT_THAT(
      refusal("[install]\nt.flake = 'github:a/t#v2'\nt.systems = ['x86_64-linux']\n", old, manifest(text)),
      HasSubstr("m.toml:3:1: 't' is a flake, which only Nix can evaluate"));
}

TEST_F(LockingTest, what_was_included_stays_and_is_overridden_by_name) {
  const std::string text =
      "[install]\ngo.pkg-path = 'go'\n[include]\nenvironments = [{ dir = '../common' }]\n";
  EXPECT_THAT(refusal(text), HasSubstr("m.toml:5:17: including ../common"));
  const json common = {{"version", 1},
                       {"install", {{"curl", {{"pkg-path", "curl"}}}, {"jq", {{"pkg-path", "jq"}}}}},
                       {"vars", {{"A", "1"}}},
                       {"hook", {{"on-activate", "common"}}}};
  Lockfile old = lock(
      "[install]\ngo.pkg-path = 'go'\ncurl.pkg-path = 'curl'\njq.pkg-path = 'jq'\n[vars]\nA = '1'\n"
      "[hook]\non-activate = 'common'\n");
  old.manifest["options"] = json::object();  // as Flox writes it
  old.other["compose"] = {
      {"composer", manifest(text).json},
      {"include", {{{"manifest", common}, {"name", "common"}, {"descriptor", {{"dir", "../common"}}}}}},
      {"warnings", json::array()}};
  ASSERT_TRUE(locks(old, manifest(text)));

  const std::string wanted =
      "[install]\ngo.pkg-path = 'go'\njq.pkg-path = 'my-jq'\n[include]\nenvironments = [{ dir = "
      "'../common' }]\n";
  const Lockfile after = lock(wanted, old, manifest(text));
  EXPECT_EQ(after.manifest["install"]["jq"]["pkg-path"], "my-jq");
  EXPECT_EQ(after.manifest["vars"], old.manifest["vars"]);
  EXPECT_EQ(after.packages.size(), old.packages.size());
  EXPECT_TRUE(locks(after, manifest(wanted)));
  EXPECT_EQ(after.other["compose"]["warnings"].dump(),
            R"([{"higher_priority_name":"Current manifest","warning":{"Overriding":["install","jq"]}}])");
  EXPECT_EQ(lock(text, after, manifest(wanted)).to_string(), old.to_string()) << "undone, in the same form";

  const Lockfile hooked = lock(text + "[hook]\non-activate = 'x'\n", old, manifest(text));
  EXPECT_EQ(hooked.manifest["hook"]["on-activate"], "common\nx");
  EXPECT_THAT(refusal("[include]\nenvironments = [{ dir = 'other' }]\n", old, manifest(text)),
              HasSubstr("m.toml:3:17: including other"));
  const Lockfile alone = lock("[install]\ngo.pkg-path = 'go'\n", old, manifest(text));
  EXPECT_FALSE(alone.other.contains("compose"));
  EXPECT_FALSE(alone.manifest.contains("vars"));
  EXPECT_EQ(alone.packages.size(), default_systems().size());
}

TEST(LockText, keeps_order_and_layout) {
  for (const char* text :
       {"{\n  \"lockfile-version\": 1,\n  \"manifest\": {\n    \"version\": 1,\n    \"install\": {}\n  },\n  "
        "\"packages\": [\n    {\n      \"version\": \"1\",\n      \"outputs\": {},\n      \"install_id\": "
        "\"x\"\n    "
        "}\n  ]\n}",
        "{\n\t\"packages\": [],\n\t\"x\": \"ü\\u0001\",\n\t\"lockfile-version\": 1,\n\t\"manifest\": "
        "{}\n}\n\n",
        "{\"manifest\":{\"b\":1,\"a\":2},\"lockfile-version\":1,\"packages\":[]}\n"})
    EXPECT_EQ(lock_text(Lockfile::parse(text), text), text);
  const Lockfile empty = Lockfile::parse("{\"lockfile-version\":1}");
  for (const char* damaged : {"", "[", "[]", "{\"a\":1,\"a\":2}"})
    EXPECT_EQ(lock_text(empty, damaged), empty.to_string());
}

}  // namespace
}  // namespace flox::env
