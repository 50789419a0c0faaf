#include "imageless/annotations.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::imageless {
namespace {

using testing::HasSubstr;

std::string refusal_of(const std::string& annotations) {
  try {
    check_annotations(oci::RuntimeSpec::parse("{\"annotations\":{" + annotations + "}}"));
    return "none";
  } catch (const Error& error) {
    return std::string(error.what()) + " " + error.advice();
  }
}

TEST(AnnotationsTest, OneThatDoesNotExistIsRefusedWithTheNearest) {
  EXPECT_EQ(refusal_of(R"("flox.dev/store-view":"closure","flox.dev/environment.web":"o/n:3","other/x":"y")"),
            "none");
  EXPECT_THAT(refusal_of(R"("flox.dev/storeview":"closure")"),
              HasSubstr("Did you mean flox.dev/store-view?"));
  EXPECT_THAT(refusal_of(R"("flox.dev/Store-View":"closure")"),
              HasSubstr("Did you mean flox.dev/store-view?"));
  EXPECT_THAT(refusal_of(R"("flox.dev/enviroment":"o/n")"), HasSubstr("Did you mean flox.dev/environment?"));
  EXPECT_THAT(refusal_of(R"("flox.dev/":"")"), HasSubstr("Use one of flox.dev/activate-mode"));
  EXPECT_THAT(refusal_of("\"flox.dev/" + std::string(100'000, 'x') + "\":\"\""),
              HasSubstr("unknown annotation"));
  EXPECT_LT(refusal_of("\"flox.dev/" + std::string(100'000, 'x') + "\":\"\"").size(), 1000U);
}

TEST(AnnotationsTest, AValueIsShortPrintableAndOneOfThoseThatThereAre) {
  EXPECT_EQ(refusal_of("\"flox.dev/environment\":\"" + std::string(512, 'x') + "\""), "none");
  EXPECT_THAT(refusal_of("\"flox.dev/environment\":\"" + std::string(513, 'x') + "\""),
              HasSubstr("at most 512"));
  EXPECT_THAT(refusal_of(R"("flox.dev/environment":"a\nb")"), HasSubstr("is \"a?b\""));
  EXPECT_THAT(refusal_of(R"("flox.dev/environment.a/b":"x")"), HasSubstr("unknown annotation"));
  EXPECT_THAT(refusal_of(R"("flox.dev/store-view":"all")"), HasSubstr("It is node or closure."));
  EXPECT_THAT(refusal_of(R"("flox.dev/activate-mode":"fast")"), HasSubstr("It is run or dev."));
  EXPECT_THAT(refusal_of(R"("flox.dev/nix-mutable":"yes")"), HasSubstr("It is true or false."));
  EXPECT_THAT(refusal_of(R"("flox.dev/skip-containers":"a, b; c")"), HasSubstr("commas"));
  EXPECT_EQ(refusal_of(R"("flox.dev/skip-containers":"a, b,c,","flox.dev/store-view":"")"), "none");
}

TEST(AnnotationsTest, WhatPeopleAreToldOfIsAccepted) {
  const std::string told = describe_annotations();
  EXPECT_THAT(told, HasSubstr("  flox.dev/store-view: node|closure "));
  EXPECT_THAT(told, HasSubstr("  flox.dev/environment.CONTAINER "));
  size_t count = 0;
  for (size_t at = told.find("  flox.dev/"); at != std::string::npos; at = told.find("  flox.dev/", at + 1)) {
    const std::string name = told.substr(at + 2, told.find_first_of(": \n", at + 2) - at - 2);
    EXPECT_EQ(refusal_of("\"" + name + "\":\"\""), "none") << name;
    ++count;
  }
  EXPECT_EQ(count, 8U);
}

oci::RuntimeSpec spec_with(const std::string& annotations, const std::string& args = R"(["sh"])") {
  return oci::RuntimeSpec::parse(R"({"process":{"args":)" + args + R"(},"annotations":{)" + annotations +
                                 "}}");
}

TEST(AnnotationsTest, AnAnnotationAStubImageOrAFloxCommandMakesAContainerOurs) {
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

TEST(AnnotationsTest, SandboxesAndSkippedContainersAreNotOurs) {
  EXPECT_FALSE(is_imageless(
      spec_with(R"("flox.dev/environment":"o/n","io.kubernetes.cri.container-type":"sandbox")")));
  const std::string annotations =
      R"("flox.dev/environment":"o/n","flox.dev/skip-containers":"istio, vault","io.kubernetes.cri.container-name":)";
  EXPECT_FALSE(is_imageless(spec_with(annotations + "\"vault\"")));
  EXPECT_TRUE(is_imageless(spec_with(annotations + "\"vaul\"")));
}

TEST(AnnotationsTest, AnEnvironmentCanBelongToOneContainer) {
  const std::string annotations = R"("flox.dev/environment.web":"o/n","io.kubernetes.cri.container-name":)";
  EXPECT_TRUE(is_imageless(spec_with(annotations + "\"web\"")));
  EXPECT_FALSE(is_imageless(spec_with(annotations + "\"db\"")));
}

}  // namespace
}  // namespace flox::imageless
