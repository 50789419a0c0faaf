#include "package/python/resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/error_of.h"

namespace flox::package {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// An index that is a table: "a 1.0" → what it requires.
class Table : public PythonReleases {
 public:
  explicit Table(std::map<std::string, std::vector<std::string>> releases) {
    for (const auto& [release, requirements] : releases) {
      const size_t space = release.find(' ');
      const std::string name = release.substr(0, space), version = release.substr(space + 1);
      std::string text = "Name: " + name + "\nVersion: " + version + "\n";
      for (const std::string& requirement : requirements) text += "Requires-Dist: " + requirement + "\n";
      metadata_.emplace(release, PythonMetadata::parse(text));
      versions_[name].push_back(PythonVersion::parse(version));
      std::ranges::sort(versions_[name], std::greater<>());
    }
  }
  std::vector<PythonVersion> versions(const std::string& project) override {
    if (!versions_.contains(project)) fail(ErrorKind::not_found, "there is no {}", project);
    return versions_[project];
  }
  bool is_yanked(const std::string& project, const PythonVersion& version) override {
    return yanked.contains(project + " " + version.to_string());
  }
  const PythonMetadata& metadata(const std::string& project, const PythonVersion& version) override {
    return metadata_.at(project + " " + version.to_string());
  }
  std::set<std::string> yanked;

 private:
  std::map<std::string, PythonMetadata> metadata_;
  std::map<std::string, std::vector<PythonVersion>> versions_;
};

std::string resolve(Table& table, const std::vector<std::string>& wanted,
                    const std::vector<std::string>& pins = {}) {
  std::vector<PythonRequirement> wishes, conditions;
  for (const auto& one : wanted) wishes.push_back(PythonRequirement::parse(one));
  for (const auto& one : pins) conditions.push_back(PythonRequirement::parse(one));
  const auto environment =
      PythonTarget{.minor = 11, .full_version = "3.11.2", .architecture = "x86_64", .glibc_minor = 36}
          .markers();
  std::string text;
  for (const auto& one : resolve_python(table, wishes, conditions, environment))
    text += one.project + " " + one.version.to_string() + ", ";
  return text;
}

TEST(ResolvePython, TakesTheNewestThatAllAdmit) {
  Table table({{"a 1", {"b<3", "c"}}, {"b 2", {}}, {"b 3", {}}, {"b 2.5rc1", {}}, {"c 1", {"b!=2.5"}}});
  EXPECT_EQ(resolve(table, {"a"}), "a 1, b 2, c 1, ");
  table.yanked = {"b 2"};
  EXPECT_EQ(resolve(table, {"a"}), "a 1, b 2.5rc1, c 1, ");
}

TEST(ResolvePython, GoesBackWhereTheNewestDoNotGoTogether) {
  Table table({{"app 1", {"x", "y"}},
               {"x 2", {"shared>=2"}},
               {"x 1", {"shared>=1"}},
               {"y 1", {"shared<2"}},
               {"shared 2", {}},
               {"shared 1", {}}});
  EXPECT_EQ(resolve(table, {"app"}), "app 1, x 1, y 1, shared 1, ");
}

TEST(ResolvePython, FollowsExtrasAndCircles) {
  Table table({{"a 1", {"b[fast]"}},
               {"b 1", {"a", "c; extra == 'fast'", "d; extra == 'slow'"}},
               {"c 1", {"b[slow]"}},
               {"d 1", {}}});
  EXPECT_EQ(resolve(table, {"a"}), "a 1, b 1, c 1, d 1, ");
}

TEST(ResolvePython, KeepsPinsOfWhatIsNeeded) {
  Table table({{"a 1", {"b"}}, {"b 1", {}}, {"b 2", {}}});
  EXPECT_EQ(resolve(table, {"a"}, {"b==1", "unused==3"}), "a 1, b 1, ");
}

TEST(ResolvePython, SaysWhoWantsWhat) {
  Table table({{"a 1", {"b<2", "c"}}, {"b 1", {}}, {"b 2", {}}, {"c 1", {"b>=2"}}});
  EXPECT_THAT(error_of([&] { resolve(table, {"a"}); }, ErrorKind::conflict),
              AllOf(HasSubstr("no version of b"), HasSubstr("<2 (a 1 wants)"), HasSubstr(">=2 (c 1 wants)")));
  EXPECT_THAT(error_of([&] { resolve(table, {"a==7"}); }, ErrorKind::conflict), HasSubstr("==7 (you want)"));
}

TEST(ResolvePython, EndsWhereNothingGoesTogether) {
  std::map<std::string, std::vector<std::string>> releases{{"app 1", {}}};
  for (int i = 0; i < 12; ++i) {
    const std::string name = "p" + std::to_string(i);
    releases["app 1"].push_back(name);
    for (int version = 1; version <= 9; ++version)
      releases[name + " " + std::to_string(version)] = {"shared==" + std::to_string(i)};
  }
  releases["app 1"].push_back("shared");
  releases["shared 1"] = {};
  Table table(releases);
  EXPECT_NE(error_of([&] { resolve(table, {"app"}); }, ErrorKind::conflict), "no error");
}

}  // namespace
}  // namespace flox::package
