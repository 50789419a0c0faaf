#include "package/debian/import_deb.h"

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

TEST(ImportDeb, WhatIsWantedMayNameAVersion) {
  EXPECT_EQ(WantedPackage::parse("nodejs").version, "");
  EXPECT_EQ(WantedPackage::parse("nodejs=18.20.4+dfsg-1~deb12u1").name, "nodejs");
  EXPECT_EQ(WantedPackage::parse("nodejs=18.20.4+dfsg-1~deb12u1").version, "18.20.4+dfsg-1~deb12u1");
  EXPECT_THROW(WantedPackage::parse("nodejs="), Error);
}

TEST(ImportDeb, APackageWithAProgramThatDoesNotRunIsNotPublished) {
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

}  // namespace
}  // namespace flox::package
