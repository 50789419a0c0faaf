// Which containers are ours, and what an exec gets of the activation.
#include "shim/imageless/imageless.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flox::shim {
namespace {

using testing::ElementsAre;

oci::RuntimeSpec spec_with(const std::string& annotations, const std::string& args = R"(["sh"])") {
  return oci::RuntimeSpec::parse(R"({"process":{"args":)" + args + R"(},"annotations":{)" + annotations +
                                 "}}");
}

TEST(ImagelessTest, AnAnnotationAStubImageOrAFloxCommandMakesAContainerOurs) {
  EXPECT_FALSE(is_imageless(spec_with("")));
  EXPECT_TRUE(is_imageless(spec_with(R"("flox.dev/environment":"o/n")")));
  EXPECT_TRUE(is_imageless(spec_with("", R"(["/usr/bin/flox","activate"])")));
  for (const char* image : {"ghcr.io/flox/flox:latest", "docker.io/flox/empty:1.0.0", "flox/empty@sha256:aa",
                            "ghcr.io/flox/flox"})
    EXPECT_TRUE(is_imageless(spec_with(fmt::format(R"("io.kubernetes.cri.image-name":"{}")", image))))
        << image;
  for (const char* image : {"docker.io/library/busybox:1", "ghcr.io/flox/floxy:1", "localhost:5000/app", ""})
    EXPECT_FALSE(is_imageless(spec_with(fmt::format(R"("io.kubernetes.cri.image-name":"{}")", image))))
        << image;
}

TEST(ImagelessTest, SandboxesAndSkippedContainersAreNotOurs) {
  EXPECT_FALSE(is_imageless(
      spec_with(R"("flox.dev/environment":"o/n","io.kubernetes.cri.container-type":"sandbox")")));
  const std::string annotations =
      R"("flox.dev/environment":"o/n","flox.dev/skip-containers":"istio, vault","io.kubernetes.cri.container-name":)";
  EXPECT_FALSE(is_imageless(spec_with(annotations + "\"vault\"")));
  EXPECT_TRUE(is_imageless(spec_with(annotations + "\"vaul\"")));
}

TEST(ImagelessTest, AnEnvironmentCanBelongToOneContainer) {
  const std::string annotations = R"("flox.dev/environment.web":"o/n","io.kubernetes.cri.container-name":)";
  EXPECT_TRUE(is_imageless(spec_with(annotations + "\"web\"")));
  EXPECT_FALSE(is_imageless(spec_with(annotations + "\"db\"")));
}

TEST(ImagelessTest, AnExecRunsInTheActivationButItsOwnWishesWin) {
  Activation activation;
  activation.before = {"PATH=/bin", "GONE=1", "POD=a", "MODE=old"};
  activation.after = {"PATH=/env/bin:/bin", "POD=a", "MODE=old", "FLOX_ENV=/env"};
  EXPECT_THAT(activation.merged({"PATH=/bin", "GONE=1", "POD=a", "MODE=new", "TERM=xterm"}),
              ElementsAre("PATH=/env/bin:/bin", "POD=a", "MODE=new", "TERM=xterm", "FLOX_ENV=/env"));
  EXPECT_THAT(activation.merged({"PATH=/mine"}), testing::Contains("PATH=/mine"));
}

// Comparing each with each, this would take minutes.
TEST(ImagelessTest, AnExecWithVeryManyVariablesIsMerged) {
  Activation activation;
  for (int i = 0; i < 100'000; ++i) activation.before.push_back(fmt::format("V{}=1", i));
  activation.after = activation.before;
  activation.after.emplace_back("FLOX_ENV=/env");
  EXPECT_EQ(activation.merged(activation.before), activation.after);
}

}  // namespace
}  // namespace flox::shim
