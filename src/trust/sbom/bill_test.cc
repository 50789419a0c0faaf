#include "trust/sbom/bill.h"

#include <gtest/gtest.h>

#include "base/os/file.h"
#include "trust/sbom/cyclonedx.h"
#include "trust/sbom/difference.h"
#include "trust/sbom/spdx.h"

namespace flox::trust {
namespace {

namespace fs = std::filesystem;

constexpr const char* created = "2026-11-29T08:00:00Z";

class BillTest : public testing::Test {
 protected:
  BillTest() : store_(temp_.path() / "root") {}

  nix::StorePath add(const std::string& name, const std::string& text,
                     const nix::StorePathSet& references = {}, const std::string& package_file = {}) {
    const TempDir tree;
    std::string content = text;
    for (const auto& reference : references) content += " " + reference.to_string();
    write_file(tree.path() / "text", content);
    if (!package_file.empty()) {
      fs::create_directory(tree.path() / "nix-support");
      write_file(tree.path() / package_file_place, package_file);
    }
    return store_.add_tree(tree.path(), name, references).path;
  }
  static const Component& component(const Bill& bill, const nix::StorePath& path) {
    for (const Component& one : bill.components)
      if (one.path == path) return one;
    throw std::runtime_error("not in the bill");
  }

  TempDir temp_;
  store::LocalStore store_;
};

PackageFile debian_web() {
  return {.packages = {
              {.name = "web",
               .version = "1:2.0-1",
               .purl = "pkg:deb/debian/web@1:2.0-1?arch=amd64",
               .license = "MIT AND Zlib",
               .source = "web-source"},
              {.name = "web-data", .version = "2.0-1", .purl = "pkg:deb/debian/web-data@2.0-1?arch=all"}}};
}

TEST_F(BillTest, HasEachPathOfTheClosureWithWhatIsKnownOfIt) {
  const auto library = add("libx-1.2.3", "x");
  const auto web = add("web-2.0", "web", {library}, debian_web().to_string());
  add("other-1.0", "not in the closure");
  const Bill bill = bill_of(store_, "web", {web});
  ASSERT_EQ(bill.components.size(), 2u);
  const Component& program = component(bill, web);
  EXPECT_EQ(program.package.version, "1:2.0-1");
  EXPECT_EQ(program.package.license, "MIT AND Zlib");
  ASSERT_EQ(program.merged.size(), 1u);
  EXPECT_EQ(program.merged[0].name, "web-data");
  EXPECT_EQ(program.references, nix::StorePathSet{library});
  EXPECT_EQ(program.nar_hash, store_.query(web)->nar_hash);
  EXPECT_EQ(component(bill, library).package.name, "libx");
  EXPECT_EQ(component(bill, library).package.version, "1.2.3");
}

TEST_F(BillTest, TakesFromTheLockWhatThePathDoesNotSay) {
  const auto hello = add("hello", "hello");
  const auto lock =
      env::Lockfile::parse(R"({"lockfile-version": 1, "manifest": {}, "packages": [{"install_id": "h",
    "attr_path": "hello", "version": "3.1", "system": "x86_64-linux", "license": "MIT", "outputs": {"out": ")" +
                           hello.to_string() + "\"}}]}");
  const Bill bill = bill_of(store_, "env", {hello}, packages_of(lock, "x86_64-linux"));
  EXPECT_EQ(bill.components.at(0).package.version, "3.1");
  EXPECT_EQ(bill.components.at(0).package.license, "MIT");
  EXPECT_TRUE(packages_of(lock, "aarch64-linux").empty());
}

TEST_F(BillTest, DoesNotBelieveADamagedPackageFile) {
  const auto path = add("odd-1.0", "x", {}, "{\"format\": 7}");
  const Bill bill = bill_of(store_, "odd", {path});
  EXPECT_EQ(bill.components.at(0).package.name, "odd");
  EXPECT_EQ(bill.components.at(0).package.version, "1.0");
}

TEST_F(BillTest, GivesTheSameDocumentsForTheSameClosure) {
  const auto library = add("libx-1.2.3", "x");
  const auto web = add("web-2.0", "web", {library}, debian_web().to_string());
  const Bill once = bill_of(store_, "web", {web});
  const Bill again = bill_of(store_, "web", {web});
  EXPECT_EQ(to_spdx(once, created), to_spdx(again, created));
  EXPECT_EQ(to_cyclonedx(once, created), to_cyclonedx(again, created));
  EXPECT_NE(document_uuid(once, created), document_uuid(once, "2026-11-29T08:00:01Z"));
  EXPECT_NE(document_uuid(once, created), document_uuid(bill_of(store_, "web", {library}), created));
}

TEST_F(BillTest, SaysInSpdxWhatContainsAndNeedsWhat) {
  const auto library = add("libx-1.2.3", "x");
  const auto web = add("web-2.0", "web", {library}, debian_web().to_string());
  const std::string text = to_spdx(bill_of(store_, "web", {web}), created);
  for (const std::string part :
       {"\"SPDX-2.3\"", "\"MIT AND Zlib\"", "\"pkg:deb/debian/web@1:2.0-1?arch=amd64\"", "\"DEPENDS_ON\"",
        "\"CONTAINS\"", "\"DESCRIBES\"", "\"Organization: Debian\"", "\"NOASSERTION\""})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

TEST_F(BillTest, SaysInCyclonedxWhatContainsAndNeedsWhat) {
  const auto library = add("libx-1.2.3", "x");
  const auto web = add("web-2.0", "web", {library}, debian_web().to_string());
  const std::string text = to_cyclonedx(bill_of(store_, "web", {web}), created);
  for (const std::string& part :
       {std::string("\"specVersion\": \"1.6\""), std::string("\"expression\": \"MIT AND Zlib\""),
        web.base_name() + "/merged-1", std::string("urn:uuid:"), std::string("\"dependsOn\"")})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

TEST_F(BillTest, DiffersByPackagePathAndBytes) {
  const auto same = add("same-1", "s");
  const auto gone = add("gone-1", "g");
  const auto fresh = add("fresh-1", "f");
  const auto old_web = add("web-1.0", "web");
  const auto new_web = add("web-1.1", "web, which is larger");
  const auto old_tool = add("tool-1", "a");
  const auto new_tool = add("tool-1", "b");
  const auto change = difference(bill_of(store_, "a", {same, gone, old_web, old_tool}),
                                 bill_of(store_, "b", {same, fresh, new_web, new_tool}));
  ASSERT_EQ(change.added.size(), 1u);
  EXPECT_EQ(change.added[0].path, fresh);
  ASSERT_EQ(change.removed.size(), 1u);
  EXPECT_EQ(change.removed[0].path, gone);
  ASSERT_EQ(change.changed.size(), 1u);
  EXPECT_EQ(change.changed[0].after.path, new_web);
  ASSERT_EQ(change.rebuilt.size(), 1u);
  EXPECT_EQ(change.rebuilt[0].before.path, old_tool);
  EXPECT_EQ(change.unchanged, 1u);
  EXPECT_GT(change.bytes_after, change.bytes_before);
  EXPECT_NE(change.to_string().find("web 1.0 → 1.1"), std::string::npos) << change.to_string();
  EXPECT_EQ(change.to_json()["removed"][0]["name"], "gone");
  EXPECT_TRUE(difference(bill_of(store_, "a", {same}), bill_of(store_, "a", {same})).empty());
}

TEST_F(BillTest, OfAClosureElsewhereIsTheSameButForWhatStandsInTheFiles) {
  const auto library = add("libx-1.2.3", "x");
  const auto web = add("web-2.0", "web", {library});
  std::vector<nix::PathInfo> infos;
  for (const nix::StorePath& path : store_.closure({web})) infos.push_back(*store_.query(path));
  std::ranges::reverse(infos);
  const Bill there = bill_of("web", {web}, infos);
  EXPECT_EQ(to_spdx(there, created), to_spdx(bill_of(store_, "web", {web}), created));
  EXPECT_TRUE(difference(there, bill_of(store_, "web", {web})).empty());
  const DeclaredPackages declared{{library, {.name = "x", .version = "9", .purl = "pkg:generic/x@9"}}};
  EXPECT_EQ(component(bill_of("web", {web}, infos, declared), library).package.version, "9");
}

}  // namespace
}  // namespace flox::trust
