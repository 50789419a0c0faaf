#include "package/npm/resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/data/bytes.h"
#include "package/npm/import_npm.h"
#include "testing/error_of.h"

namespace flox::package {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// A registry that is a table: name → version → what its document says beside "dist".
class ResolveNpmTest : public testing::Test {
 protected:
  void add(const std::string& name, const std::string& version, json release = json::object()) {
    release["dist"] = {{"tarball", "https://registry/" + version + ".tgz"},
                       {"integrity", "sha512-" + to_base64(std::string(64, 'x'))}};
    tables_[name]["name"] = name;
    tables_[name]["versions"][version] = std::move(release);
  }
  void tag(const std::string& name, const std::string& tag, const std::string& version) {
    tables_[name]["dist-tags"][tag] = version;
  }
  NpmGraph graph(const std::string& name, const std::string& spec,
                 const std::map<std::string, std::string>& pins = {}) {
    return resolve_npm(
        [&](const std::string& one) -> const Packument& {
          if (!tables_.contains(one)) fail(ErrorKind::not_found, "there is no {}", one);
          return documents_.try_emplace(one, Packument::parse(tables_[one].dump(), one)).first->second;
        },
        name, spec, pins, "x64");
  }
  // "a 1.0.0 sees b=b 1.0.0; b 1.0.0 sees"
  static std::string text(const NpmGraph& graph) {
    std::string result;
    const auto named = [&](size_t node) {
      return graph.nodes[node].name + " " + graph.nodes[node].release.version.to_string();
    };
    for (size_t node = 0; node < graph.nodes.size(); ++node) {
      result += named(node) + " sees";
      for (const auto& [name, other] : graph.nodes[node].sees) result += " " + name + "=" + named(other);
      result += "; ";
    }
    return result;
  }
  std::map<std::string, json> tables_;
  std::map<std::string, Packument> documents_;
};

TEST_F(ResolveNpmTest, OneVersionIsForAllThatAdmitItAndOthersStandBesideIt) {
  add("a", "1.0.0", {{"dependencies", {{"b", "^1.0.0"}, {"c", "*"}, {"old", "npm:b@0.9"}}}});
  add("b", "1.0.0");
  add("b", "1.2.0");
  add("b", "2.0.0");
  add("b", "0.9.1");
  add("c", "1.0.0", {{"dependencies", {{"b", ">=1"}}}});
  EXPECT_EQ(
      text(graph("a", "1")),
      "a 1.0.0 sees b=b 1.2.0 c=c 1.0.0 old=b 0.9.1; b 1.2.0 sees; c 1.0.0 sees b=b 1.2.0; b 0.9.1 sees; ");
  documents_.clear();
  EXPECT_THAT(text(graph("a", "1", {{"b", "1.0.0"}})), HasSubstr("a 1.0.0 sees b=b 1.0.0"));
}

TEST_F(ResolveNpmTest, TagsAndDeprecationDecide) {
  add("a", "1.0.0");
  add("a", "1.1.0", {{"deprecated", "broken"}});
  add("a", "2.0.0");
  tag("a", "latest", "1.0.0");
  tag("a", "next", "2.0.0");
  EXPECT_EQ(text(graph("a", "latest")), "a 1.0.0 sees; ");
  EXPECT_EQ(text(graph("a", "next")), "a 2.0.0 sees; ");
  EXPECT_EQ(text(graph("a", "1.1.0")), "a 1.1.0 sees; ");
  EXPECT_EQ(text(graph("a", ">=1")), "a 1.0.0 sees; ");
}

TEST_F(ResolveNpmTest, PeersAreSharedAndThoseThatAreOptionalAreSeenIfTheyAreThere) {
  add("app", "1.0.0", {{"dependencies", {{"plugin", "1"}, {"react", "17"}}}});
  add("plugin", "1.0.0",
      {{"peerDependencies", {{"react", ">=16"}, {"vue", "*"}, {"redux", "1"}}},
       {"peerDependenciesMeta", {{"vue", {{"optional", true}}}, {"redux", {{"optional", true}}}}}});
  add("react", "17.0.0", {{"dependencies", {{"redux", "*"}}}});
  add("react", "18.0.0");
  add("redux", "1.0.0");
  // Who stands nearer to the wanted one decides.
  EXPECT_THAT(text(graph("app", "*")), HasSubstr("plugin 1.0.0 sees react=react 17.0.0 redux=redux 1.0.0;"));
  EXPECT_THAT(text(graph("plugin", "*")), HasSubstr("plugin 1.0.0 sees react=react 18.0.0;"));
}

TEST_F(ResolveNpmTest, WhatIsOptionalAndForOthersIsLeftOut) {
  add("a", "1.0.0",
      {{"optionalDependencies", {{"linux", "1"}, {"windows", "1"}, {"absent", "1"}, {"musl", "1"}}},
       {"hasInstallScript", true}});
  add("linux", "1.0.0", {{"os", {"linux"}}, {"cpu", {"x64"}}, {"libc", {"glibc"}}});
  add("windows", "1.0.0", {{"os", {"win32"}}});
  add("musl", "1.0.0", {{"libc", {"musl"}}});
  add("needs", "1.0.0", {{"dependencies", {{"windows", "1"}}}});
  const NpmGraph found = graph("a", "1");
  EXPECT_EQ(text(found), "a 1.0.0 sees linux=linux 1.0.0; linux 1.0.0 sees; ");
  EXPECT_THAT(found.notes, testing::ElementsAre(HasSubstr("not run"), HasSubstr("absent is optional")));
  EXPECT_THAT(error_of([&] { graph("needs", "1"); }, ErrorKind::conflict),
              HasSubstr("windows 1.0.0 does not run"));
}

TEST_F(ResolveNpmTest, UrlsFilesAndReleasesWithoutAHashAreRefused) {
  add("a", "1.0.0", {{"dependencies", {{"b", "git+https://example.org/b"}}}});
  add("b", "1.0.0");
  EXPECT_THAT(error_of([&] { graph("a", "1"); }, ErrorKind::not_found),
              HasSubstr("no release of b is 'git+https"));
  tables_["c"] = {{"name", "c"},
                  {"versions", {{"1.0.0", {{"dist", {{"tarball", "https://r/x"}, {"shasum", "00"}}}}}}}};
  EXPECT_THAT(error_of([&] { graph("c", "1"); }, ErrorKind::not_found), HasSubstr("no release of c"));
  tables_["d"] = {{"name", "e"}};
  EXPECT_THAT(error_of([&] { graph("d", "1"); }), HasSubstr("not that of d"));
}

TEST_F(ResolveNpmTest, CirclesAreOneGroupAndGroupsComeAfterWhatTheySee) {
  add("a", "1.0.0", {{"dependencies", {{"b", "1"}, {"d", "1"}}}});
  add("b", "1.0.0", {{"dependencies", {{"c", "1"}}}});
  add("c", "1.0.0", {{"dependencies", {{"b", "1"}, {"d", "1"}}}});
  add("d", "1.0.0");
  const NpmGraph found = graph("a", "1");
  std::string names;
  for (const auto& group : groups_of(found)) {
    for (const size_t node : group) names += found.nodes[node].name;
    names += ' ';
  }
  EXPECT_EQ(names, "d bc a ");
}

TEST(NpmNames, ArePartsOfUrlsAndOfFiles) {
  EXPECT_EQ(npm_wanted("@types/node@20").name, "@types/node");
  EXPECT_EQ(npm_wanted("@types/node@20").spec, "20");
  EXPECT_EQ(npm_wanted("express").spec, "latest");
  for (const char* text :
       {"", "@", "a@", "../a", "@a", "@a/", "@/a", "a/b", "@a/b/c", ".a", "a b", "@../a", "-a"})
    EXPECT_NE(error_of([&] { npm_wanted(text); }), "no error") << text;
}

TEST(NpmManifest, NamesProgramsOfThePackageAlone) {
  const auto manifest = NpmManifest::parse(
      R"({"name":"@s/tool","version":"1.0.0","license":"MIT","bin":"./cli.js","description":"d"})");
  EXPECT_EQ(manifest.bin.at("tool"), "cli.js");
  EXPECT_EQ(manifest.license, "MIT");
  for (const char* bin : {R"({"x":"../../etc/passwd"})", R"({"x":"/etc/passwd"})", R"({"../x":"a"})",
                          R"({"-x":"a"})", R"({"x":5})", R"({"x;y":"a"})", R"("..")"})
    EXPECT_NE(error_of([&] {
                NpmManifest::parse(std::string(R"({"name":"a","version":"1.0.0","bin":)") + bin + "}");
              }),
              "no error")
        << bin;
}

}  // namespace
}  // namespace flox::package
