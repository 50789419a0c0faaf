#include "package/build/build_record.h"

#include <gtest/gtest.h>

#include "base/os/file.h"
#include "package/build/sources.h"
#include "testing/error_of.h"

namespace flox::package {
namespace {

class BuildRecordTest : public testing::Test {
 protected:
  BuildRecordTest() : store_(temp_.path() / "root") {
    fs::create_directories(project_ / ".flox/env");
    write_file(project_ / ".flox/env/manifest.toml", "schema-version = \"1.10.0\"\n");
  }
  nix::StorePath add(const std::string& name, const std::string& text,
                     const nix::StorePathSet& references = {}) {
    const TempDir tree;
    std::string content = text;
    for (const auto& reference : references) content += " " + reference.to_string();
    write_file(tree.path() / "text", content);
    return store_.add_tree(tree.path(), name, references).path;
  }
  catalog::PackageBuild build(const nix::StorePath& path) const {
    catalog::PackageBuild result{.name = "web", .version = "1.0", .system = "x86_64-linux"};
    result.outputs.emplace("out", path);
    return result;
  }

  TempDir temp_;
  fs::path project_ = temp_.path() / "project";
  store::LocalStore store_;
};

TEST_F(BuildRecordTest, NamesTheResultAndEachOfItsInputs) {
  const auto compiler = add("compiler-1.0", "c");
  const auto library = add("library-1.0", "l");
  const auto web = add("web-1.0", "web", {library});
  const BuildRequest request{
      .project = project_, .name = "web", .descriptor = {.command = "make"}, .packages = {compiler}};
  const trust::BuildProvenance provenance = describe_build(
      store_, request, build(web),
      {.sources = look_at_sources(project_), .variables = {{"A", "b"}}, .builder = "https://ci"});
  EXPECT_EQ(provenance.path, web);
  EXPECT_EQ(provenance.nar_hash, store_.query(web)->nar_hash);
  EXPECT_EQ(provenance.command, "make");
  EXPECT_EQ(provenance.variables.at("A"), "b");
  EXPECT_EQ(provenance.builder, "https://ci");
  EXPECT_EQ(provenance.started_at, "1970-01-01T00:00:00Z");
  ASSERT_NE(provenance.input("manifest.toml"), nullptr);
  EXPECT_EQ(provenance.input("manifest.lock"), nullptr);  // there is none
  EXPECT_EQ(provenance.input(compiler.to_string())->notes.at("role"), "build");
  EXPECT_EQ(provenance.input(library.to_string())->notes.at("role"), "runtime");
  EXPECT_FALSE(provenance.input("source")->digests.at("dirHash1").empty());
}

TEST_F(BuildRecordTest, IsFoundAgainForItsOwnBuildOnly) {
  const auto web = add("web-1.0", "web");
  EXPECT_FALSE(find_provenance(store_, project_, build(web)));
  const BuildRequest request{.project = project_, .name = "web", .descriptor = {.command = "make"}};
  leave_provenance(project_, "web",
                   describe_build(store_, request, build(web), {.sources = {.name = "source"}}));
  const auto found = find_provenance(store_, project_, build(web));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->path, web);
  EXPECT_NE(found->builder.find("urn:flox-imageless:builder:"), std::string::npos);
  const auto other = add("web-1.0", "another");
  EXPECT_NE(error_of([&] { find_provenance(store_, project_, build(other)); }, ErrorKind::conflict)
                .find("of another build"),
            std::string::npos);
  write_file(project_ / "result-web.provenance.json", "{}");
  EXPECT_NE(error_of([&] { find_provenance(store_, project_, build(web)); }), "no error");
}

}  // namespace
}  // namespace flox::package
