// What docs/formats/attestation.md says holds for this code.
#include <gtest/gtest.h>

#include "testing/format_page.h"
#include "trust/attestation/provenance.h"

namespace flox::trust {
namespace {

TEST(AttestationPage, ShowsAStatementThatIsRead) {
  const BuildProvenance provenance = BuildProvenance::parse(format_example("attestation.md", "statement"));
  EXPECT_EQ(provenance.build_type, flox_build_type);
  EXPECT_EQ(provenance.package, "hello");
  EXPECT_EQ(provenance.variables.at("CFLAGS"), "-O2");
  EXPECT_EQ(provenance.builder_version, "0.1.0");
  ASSERT_NE(provenance.input("source"), nullptr);
  EXPECT_EQ(provenance.input("source")->notes.at("dirty"), "false");
  EXPECT_EQ(BuildProvenance::parse(provenance.to_string()).to_string(), provenance.to_string());
}

}  // namespace
}  // namespace flox::trust
