#include "env/project_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/os/file.h"

namespace flox::env {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class ProjectFiles : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text = "") { write_file(dir_.path() / name, text); }
  // "nodejs >=18 (package.json)", of each package the first name.
  std::vector<std::string> suggested() const {
    std::vector<std::string> shown;
    for (const SuggestedPackage& package : suggested_packages(dir_.path()))
      shown.push_back(package.names.at(0) + (package.version.empty() ? "" : " ") + package.version + " (" +
                      package.because + ")");
    return shown;
  }
  TempDir dir_;
};

TEST_F(ProjectFiles, call_for_what_their_languages_need_each_package_once) {
  EXPECT_THAT(suggested(), IsEmpty());
  write("requirements-dev.txt");
  write("setup.py");
  write("go.mod", "go 1.22\n");
  write("CMakeLists.txt");
  write("Makefile");
  EXPECT_THAT(suggested(), ElementsAre("python3 (requirements-dev.txt)", "python3-pip (requirements-dev.txt)",
                                       "golang-go (go.mod)", "cmake (CMakeLists.txt)", "g++ (CMakeLists.txt)",
                                       "make (CMakeLists.txt)"));
}

TEST_F(ProjectFiles, name_the_version_of_the_language_and_the_first_one_counts) {
  write("package.json", R"({"engines": {"node": ">=18 <21", "npm": "9"}})");
  write("pyproject.toml", "[project]\nrequires-python = \">=3.9\"\n");
  write(".python-version", "3.11\n");
  EXPECT_THAT(suggested(), ElementsAre("python3 3.11 (.python-version)", "python3-pip (pyproject.toml)",
                                       "nodejs >=18 <21 (package.json)", "npm (package.json)"));
  fs::remove(dir_.path() / ".python-version");
  write(".python-version", "pypy-3.9\n");
  EXPECT_EQ(suggested().front(), "python3 >=3.9 (.python-version)");
}

TEST_F(ProjectFiles, are_files_of_this_directory_and_not_what_a_link_leads_to) {
  fs::create_directories(dir_.path() / "package.json");
  fs::create_directories(dir_.path() / "below");
  write("below/go.mod");
  write("real", R"({"engines": {"node": "18"}})");
  fs::create_symlink("real", dir_.path() / ".nvmrc");
  ASSERT_EQ(::mkfifo((dir_.path() / "Cargo.toml").c_str(), 0600), 0);
  EXPECT_THAT(suggested(), IsEmpty());
}

TEST_F(ProjectFiles, that_are_damaged_or_large_ask_for_any_version) {
  write("package.json", "{\"engines\": " + std::string(100'000, '['));
  write("pyproject.toml", std::string(2 << 20, '#'));
  EXPECT_THAT(suggested(), ElementsAre("python3 (pyproject.toml)", "python3-pip (pyproject.toml)",
                                       "nodejs (package.json)", "npm (package.json)"));
}

TEST(LanguageVersion, is_one_short_line) {
  EXPECT_EQ(language_version(".nvmrc", "v18.20.4\r\nmore"), "18.20.4");
  EXPECT_EQ(language_version(".nvmrc", "lts/*\n"), "");
  EXPECT_EQ(language_version(".python-version", "3.11  "), "3.11");
  EXPECT_EQ(language_version("package.json", R"({"engines": {"node": "\u001b[31m18"}})"), "");
  EXPECT_EQ(language_version("package.json", R"({"engines": {"node": 18}})"), "");
  EXPECT_EQ(language_version("package.json", R"({"engines": "18"})"), "");
  EXPECT_EQ(language_version("package.json", "[]"), "");
  EXPECT_EQ(language_version("pyproject.toml", "project = 7"), "");
  EXPECT_EQ(
      language_version("pyproject.toml", "[project]\nrequires-python = '" + std::string(200, '3') + "'"), "");
  EXPECT_EQ(language_version("go.mod", "18"), "");
}

}  // namespace
}  // namespace flox::env
