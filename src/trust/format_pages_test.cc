// What docs/formats/signed-metadata.md says holds for this code.
#include <gtest/gtest.h>

#include "base/os/file.h"
#include "testing/error_of.h"
#include "testing/format_page.h"
#include "trust/testing/owner.h"
#include "trust/verifier.h"

namespace flox::trust {
namespace {

std::string example(std::string_view name) { return format_example("signed-metadata.md", name); }

class SignedMetadataPage : public ::testing::Test {
 protected:
  TempDir dir;
  TrustStore store{dir.path() / "trust", dir.path() / "state"};
  Verifier verifier{store, [] { return parse_time("2027-01-31T18:00:00Z"); }};
  Evidence evidence{.owner = "acme",
                    .roots = {},
                    .targets = example("targets"),
                    .timestamp = example("timestamp"),
                    .proof = example("proof"),
                    .name_file = example("name-file")};
};

// python-tuf has signed it.
TEST_F(SignedMetadataPage, ShowsMetadataThatIsVerified) {
  store.accept("acme", {example("root")});
  const Provenance provenance = verifier.verify_package(evidence, testing::hello());
  EXPECT_EQ(provenance.to_string(),
            "packages/hello version 3, signed by alice-1 (ced9470a) (role publishers of acme)");
  EXPECT_EQ(provenance.expires, parse_time("2027-02-01T12:00:00Z"));
}

TEST_F(SignedMetadataPage, ShowsMetadataOfWhichNoByteMayDiffer) {
  store.accept("acme", {example("root")});
  for (std::string* text : {&evidence.targets, &evidence.timestamp, &evidence.proof, &evidence.name_file})
    for (size_t at = 0; at < text->size(); at += 7) {
      if ((*text)[at] < '0' || (*text)[at] > '9') continue;
      const char before = (*text)[at];
      (*text)[at] = before == '5' ? '6' : '5';
      EXPECT_THROW(verifier.verify_package(evidence, testing::hello()), Error) << text->substr(at, 40);
      (*text)[at] = before;
    }
  EXPECT_NO_THROW(verifier.verify_package(evidence, testing::hello()));
}

}  // namespace
}  // namespace flox::trust
