#include "env/manifest_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/data/json.h"
#include "base/error.h"
#include "base/os/process.h"

namespace flox::env {
namespace {

using testing::HasSubstr;

TEST(WithInstall, keeps_comments_and_layout) {
  const std::string before =
      "# top\nversion = 1\n\n[install]\n# mine\nold.pkg-path = \"old\"  # kept\n\n[vars]\nA = \"b\"\n";
  const std::string after = with_install(before, "new", {.pkg_path = "new", .version = "1.2"});
  EXPECT_EQ(after,
            "# top\nversion = 1\n\n[install]\n# mine\nold.pkg-path = \"old\"  # kept\nnew.pkg-path = "
            "\"new\"\nnew.version = \"1.2\"\n\n"
            "[vars]\nA = \"b\"\n");
  EXPECT_EQ(without_install(after, "new"), before);
}

TEST(WithInstall, replaces_an_entry_however_it_is_written) {
  for (const char* entry :
       {"web.pkg-path = \"web\"\nweb.version = \"1\"\n", "web = { pkg-path = \"web\", version = \"1\" }\n"}) {
    const std::string text = with_install("version = 1\n[install]\n" + std::string(entry), "web",
                                          {.pkg_path = "web", .version = "2"});
    EXPECT_EQ(Manifest::parse(text, "m").install.at("web").version, "2");
  }
  const std::string table = with_install("version = 1\n[install.web]\npkg-path = \"web\"\nversion = \"1\"\n",
                                         "web", {.pkg_path = "web"});
  EXPECT_EQ(Manifest::parse(table, "m").install.at("web").version, std::nullopt);
}

TEST(WithInstall, keeps_what_else_the_entry_says) {
  EXPECT_EQ(
      with_install(
          "[install]\nx = { pkg-path = \"x\", priority = 3, systems = [\"a\"], pkg-group = \"g\" }\n", "x",
          {.pkg_path = "x", .version = "1"}),
      "[install]\nx = { pkg-path = \"x\", priority = 3, systems = [\"a\"], pkg-group = \"g\", version = "
      "\"1\" }\n");
}

TEST(WithInstall, makes_an_entry_one_kind_of_package) {
  EXPECT_EQ(with_install("[install]\nx.flake = \"github:a/b\"\nx.priority = 3\n", "x", {.pkg_path = "x"}),
            "[install]\nx.priority = 3\nx.pkg-path = \"x\"\n");
  EXPECT_EQ(with_install("[install]\nx = { pkg-path = \"x\", version = \"1\", outputs = \"all\" }\n", "x",
                         {.store_path = "/nix/store/p"}),
            "[install]\nx = { store-path = \"/nix/store/p\" }\n");
}

TEST(WithInstall, does_not_write_into_a_hook) {
  const std::string before = "version = 1\n[hook]\non-activate = '''\n[install]\n'''\n";
  const std::string after = with_install(before, "x", {.pkg_path = "x"});
  EXPECT_EQ(Manifest::parse(after, "m").hook_on_activate, "[install]\n");
  EXPECT_EQ(Manifest::parse(after, "m").install.at("x").pkg_path, "x");
  EXPECT_EQ(without_install(after, "x"), before);
}

TEST(WithoutInstall, says_that_there_is_none) {
  try {
    without_install("version = 1\n[install]\n", "x");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.what(), HasSubstr("editing manifest.toml: there is no install.x"));
  }
}

// Thousands of manifests in all layouts; Python's tomllib says what each edit had to give
// (testing/manifest_cases.py).
TEST(ManifestEdit, agrees_with_another_reader_on_thousands_of_manifests) {
  const std::string script = FLOX_SOURCE_DIR "/src/env/testing/manifest_cases.py";
  if (run({.argv = {"python3", "-c", "import tomllib"}}).exit_code != 0)
    GTEST_SKIP() << "python3 with tomllib (3.11) is missing";
  std::istringstream cases(run_checked({.argv = {"python3", script, "generate", "20261129", "4000"}}));
  std::string results;
  size_t count = 0;
  for (std::string line; std::getline(cases, line); ++count) {
    nlohmann::json test = parse_json(line, "case");
    const std::string text = test["text"], id = test["id"];
    if (test["operation"] == "install") {
      InstallDescriptor wanted{.pkg_path = test["pkg-path"]};
      if (test.contains("version")) wanted.version = test["version"];
      if (test.contains("systems")) wanted.systems = test["systems"];
      test["after"] = with_install(text, id, wanted);
      test["undone"] = without_install(test["after"].get<std::string>(), id);
    } else {
      test["after"] = without_install(text, id);
    }
    results += test.dump() + "\n";
  }
  EXPECT_EQ(count, 4000u);
  const Outcome checked = run({.argv = {"python3", script, "check"}, .input = results});
  EXPECT_EQ(checked.exit_code, 0) << checked.out.substr(0, 4000) << checked.err;
}

}  // namespace
}  // namespace flox::env
