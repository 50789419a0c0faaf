#include "package/imported/imported_package.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::package {
namespace {

using Verdict = SmokeResult::Verdict;

ImportedPackage with(std::vector<SmokeResult> programs) {
  ImportedPackage package;
  package.build.name = "tool";
  package.programs = std::move(programs);
  return package;
}

TEST(ImportedPackage, APackageWithAProgramThatDoesNotRunIsNotPublished) {
  const SmokeResult ran{.program = "bin/a", .verdict = Verdict::ran, .detail = {}};
  const SmokeResult complained{
      .program = "bin/b", .verdict = Verdict::complained, .detail = "Can't locate X.pm"};
  const SmokeResult broken{.program = "bin/c", .verdict = Verdict::did_not_run, .detail = "exit code 127"};
  check_programs(with({}));
  check_programs(with({ran, complained}));
  EXPECT_THROW(check_programs(with({complained})), Error);
  try {
    check_programs(with({ran, broken}));
    ADD_FAILURE() << "it could be published";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("bin/c (exit code 127)"), std::string::npos);
  }
}

TEST(ImportedPackage, ALicenceThatIsTooLongIsLeftOut) {
  EXPECT_EQ(recorded_license("MIT"), "MIT");
  EXPECT_EQ(recorded_license(std::string(300, 'x')), "");
}

}  // namespace
}  // namespace flox::package
