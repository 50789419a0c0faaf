#include "package/python/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "package/python/project_page.h"
#include "testing/error_of.h"

namespace flox::package {
namespace {

using testing::HasSubstr;

const PythonTarget target{.minor = 11, .full_version = "3.11.2", .architecture = "x86_64", .glibc_minor = 36};

TEST(PythonMetadata, IsReadToTheEndOfItsHeaders) {
  const auto metadata = PythonMetadata::parse(
      "Metadata-Version: 2.1\r\nName: My_App\nVersion: 1.0\nSummary: says\tthings\n  at length\n"
      "License: BSD\nLicense-Expression: MIT\nRequires-Python: >=3.8\nRequires-Dist: a (>=1)\nrequires-dist: "
      "b; extra == 'x'\n"
      "\nRequires-Dist: not a header any more\n");
  EXPECT_EQ(metadata.name, "My_App");
  EXPECT_EQ(metadata.license, "MIT");
  EXPECT_EQ(metadata.requirements.size(), 2u);
  EXPECT_FALSE(metadata.python.admits(PythonVersion::parse("3.7")));
}

TEST(PythonMetadata, WithoutANameOrWithNonsenseIsRefused) {
  for (const char* text :
       {"", "Name: a\n", "Version: 1\n", "Name: ../a\nVersion: 1\n", "Name: a\nVersion: x\n",
        "Name: a\nVersion: 1\nRequires-Dist: (\n", "Name: a\nVersion: 1\nnonsense\n"})
    EXPECT_NE(error_of([&] { PythonMetadata::parse(text); }), "no error") << text;
}

TEST(WheelName, IsTakenApartAndMeasured) {
  const auto fit = [](const char* name) {
    const auto wheel = WheelName::find(name);
    return wheel ? fitness(*wheel, target) : std::nullopt;
  };
  EXPECT_EQ(WheelName::find("My.App-1.0.0-2-py3-none-any.whl")->project, "my-app");
  EXPECT_EQ(WheelName::find("My.App-1.0.0-2-py3-none-any.whl")->build, "2");
  EXPECT_TRUE(fit("a-1-py2.py3-none-any.whl"));
  EXPECT_TRUE(fit("a-1-cp38-abi3-manylinux_2_28_x86_64.whl"));
  EXPECT_TRUE(fit("a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"));
  EXPECT_GT(*fit("a-1-cp311-cp311-manylinux1_x86_64.whl"), *fit("a-1-cp38-abi3-manylinux_2_28_x86_64.whl"));
  EXPECT_GT(*fit("a-1-cp311-cp311-manylinux_2_28_x86_64.whl"), *fit("a-1-cp311-cp311-manylinux1_x86_64.whl"));
  EXPECT_GT(*fit("a-1-py3-none-manylinux1_x86_64.whl"), *fit("a-1-py3-none-any.whl"));
  for (const char* name :
       {"a-1-cp312-cp312-manylinux1_x86_64.whl", "a-1-cp311-cp311-musllinux_1_1_x86_64.whl",
        "a-1-cp312-abi3-any.whl", "a-1-cp311-cp311-manylinux_2_17_aarch64.whl",
        "a-1-cp311-cp311-manylinux_2_39_x86_64.whl", "a-1-py2-none-any.whl", "a-1-py312-none-any.whl",
        "a-1-cp311-cp311-win_amd64.whl", "a-1.tar.gz", "a-1-py3-none.whl"})
    EXPECT_FALSE(fit(name)) << name;
}

TEST(EntryPoints, AreProgramsOfModules) {
  const auto scripts = parse_entry_points(
      "[other]\nx = os:system\n[console_scripts]\n# a comment\nflask = flask.cli:main "
      "[extra]\n\n[gui_scripts]\ng=a:b.c\n");
  ASSERT_EQ(scripts.size(), 2u);
  EXPECT_EQ(scripts[0].name + " " + scripts[0].module + " " + scripts[0].attribute, "flask flask.cli main");
  EXPECT_EQ(scripts[1].attribute, "b.c");
  for (const char* line :
       {"a", "a = b", "a = b:", "../a = b:c", "a = b:c()", "a = b;c:d", "-a = b:c", "a b = c:d"})
    EXPECT_NE(error_of([&] { parse_entry_points(std::string("[console_scripts]\n") + line); }), "no error")
        << line;
}

TEST(ProjectPage, HasItsWheelsWithAbsoluteUrls) {
  const std::string hash(64, 'a');
  const auto files = parse_project_page(
      R"({"meta":{"api-version":"1.1"},"name":"a","files":[
        {"filename":"a-1-py3-none-any.whl","url":"../../f/a.whl","hashes":{"sha256":")" +
          hash + R"("},"yanked":"broken",
         "core-metadata":{"sha256":")" +
          hash + R"("},"requires-python":">=3.8"},
        {"filename":"a-1.tar.gz","url":"x","hashes":{"sha256":")" +
          hash + R"("}},
        {"filename":"a-2-py3-none-any.whl","url":"https://files/a-2.whl","hashes":{"md5":"x"}}]})",
      "https://index/simple/a/");
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].url, "https://index/f/a.whl");
  EXPECT_TRUE(files[0].yanked);
  EXPECT_TRUE(files[0].metadata_hash);
}

TEST(ProjectPage, OfAnotherFormatOrWithUrlsOfOtherSchemesIsRefused) {
  EXPECT_THAT(
      error_of([] { parse_project_page(R"({"meta":{"api-version":"2.0"},"files":[]})", "https://i/a/"); }),
      HasSubstr("version 1"));
  for (const char* reference : {"file:///etc/passwd", "//other/a", "ftp://x/a", "", "javascript:x"})
    EXPECT_NE(error_of([&] { absolute_url(reference, "https://index/simple/a/"); }), "no error") << reference;
  EXPECT_EQ(absolute_url("../../../../../x", "https://index/simple/a/"), "https://index/x");
  EXPECT_EQ(absolute_url("/x#sha256=1", "https://index:8443/simple/a/"), "https://index:8443/x");
}

}  // namespace
}  // namespace flox::package
