#include "trust/attestation/provenance.h"

#include <gtest/gtest.h>

#include "testing/error_of.h"

namespace flox::trust {
namespace {

BuildProvenance example() {
  return {.path = nix::StorePath::parse("/nix/store/0a1b2c3d4f5g6h7i8j9k0l1m2n3p4q5r-web-1.0"),
          .nar_hash = sha256("web"),
          .package = "web",
          .version = "1.0",
          .system = "x86_64-linux",
          .command = "make\n",
          .variables = {{"A", "b"}},
          .sandbox = "none",
          .inputs = {{.name = "source",
                      .uri = "git+https://example.org/web",
                      .digests = {{"gitCommit", "0123"}, {"dirHash1", "4567"}},
                      .notes = {{"dirty", "true"}}},
                     {.name = "manifest.toml", .digests = {{"sha256", "89ab"}}}},
          .builder = "urn:flox-imageless:builder:host",
          .builder_version = "0.1.0",
          .started_at = "2026-11-29T08:00:00Z",
          .finished_at = "2026-11-29T08:00:01Z"};
}

TEST(BuildProvenance, IsReadAsItWasWritten) {
  const BuildProvenance built = example();
  const BuildProvenance again = BuildProvenance::parse(built.to_string());
  EXPECT_EQ(again.to_string(), built.to_string());
  EXPECT_EQ(again.path, built.path);
  EXPECT_EQ(again.nar_hash, built.nar_hash);
  EXPECT_EQ(again.inputs, built.inputs);
  ASSERT_NE(again.input("source"), nullptr);
  EXPECT_EQ(again.input("source")->digests.at("gitCommit"), "0123");
  EXPECT_EQ(again.input("nothing"), nullptr);
}

TEST(BuildProvenance, SaysHowProgramsRan) {
  BuildProvenance built = example();
  built.programs = {{"bin/web", "ran"}, {"bin/broken", "did not run: exit code 127"}};
  EXPECT_EQ(BuildProvenance::parse(built.to_string()).programs, built.programs);
  EXPECT_NE(built.to_string().find(R"("byproducts":[{"annotations":{"bin/broken":)"), std::string::npos);
  EXPECT_EQ(example().to_string().find("byproducts"), std::string::npos);
}

TEST(BuildProvenance, OfAnotherBuilderIsReadAsFarAsItGoes) {
  const BuildProvenance other = BuildProvenance::parse(
      R"({"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"/nix/store/0a1b2c3d4f5g6h7i8j9k0l1m2n3p4q5r-x",
      "digest":{"sha256":"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae","sha512":"0"}}],
      "predicateType":"https://slsa.dev/provenance/v1","more":1,"predicate":{"buildDefinition":
      {"buildType":"https://example.org/ci","externalParameters":{"ref":{"a":[1]}}},"runDetails":{"builder":{"id":"https://example.org"}}}})");
  EXPECT_EQ(other.builder, "https://example.org");
  EXPECT_EQ(other.package, "");
  EXPECT_TRUE(other.inputs.empty());
}

TEST(BuildProvenance, ThatIsNoneIsRefused) {
  auto refused = [](std::string text, const std::string& part, const std::string& other) {
    const size_t at = text.find(part);
    ASSERT_NE(at, std::string::npos) << part;
    text.replace(at, part.size(), other);
    EXPECT_NE(error_of([&] { BuildProvenance::parse(text); }), "no error") << other;
  };
  const std::string good = example().to_string();
  refused(good, "in-toto.io/Statement/v1", "in-toto.io/Statement/v2");
  refused(good, "slsa.dev/provenance/v1", "slsa.dev/provenance/v0.2");
  refused(good, "\"subject\":[", "\"subject\":[{},");
  refused(good, "/nix/store/", "/etc/");
  refused(good, "\"subject\":[{\"digest\":{\"sha256\":\"", "\"subject\":[{\"digest\":{\"sha256\":\"00");
  refused(good, "\"resolvedDependencies\":[", "\"resolvedDependencies\":[1,");
  EXPECT_NE(error_of([] { BuildProvenance::parse("{}"); }), "no error");
}

}  // namespace
}  // namespace flox::trust
