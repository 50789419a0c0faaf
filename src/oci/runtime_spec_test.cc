#include "oci/runtime_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::oci {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const char* const config =
    R"({"zeta":18446744073709551615,"ociVersion":"1.0.2","process":{"terminal":true,)"
    R"("user":{"uid":1000,"gid":2000},"args":["sh","-c","x"],"env":["A=1","PATH=/bin"],"cwd":"/flox",)"
    R"("future":{"b":1,"a":2}},"root":{"path":"rootfs"},"mounts":[{"destination":"/proc"},)"
    R"({"destination":"/nix/store/cache"}],"annotations":{"k":"v"},)"
    R"("linux":{"namespaces":[{"type":"pid"},{"type":"mount"}]}})";

TEST(RuntimeSpecTest, WhatIsNotEditedStaysAsItWas) {
  RuntimeSpec spec = RuntimeSpec::parse(config);
  EXPECT_EQ(spec.dump(), config);
  spec.set_process(spec.process());
  EXPECT_EQ(spec.dump(), config);
}

TEST(RuntimeSpecTest, ReadsWhatTheShimNeeds) {
  RuntimeSpec spec = RuntimeSpec::parse(config);
  EXPECT_EQ(spec.annotation("k"), "v");
  EXPECT_EQ(spec.annotation("none"), "");
  EXPECT_EQ(spec.root_path(), "rootfs");
  EXPECT_TRUE(spec.has_own_pid_namespace());
  ProcessSpec process = spec.process();
  EXPECT_TRUE(process.terminal());
  EXPECT_THAT(process.args(), ElementsAre("sh", "-c", "x"));
  EXPECT_EQ(process.uid(), 1000U);
  EXPECT_EQ(process.gid(), 2000U);
  EXPECT_EQ(process.cwd(), "/flox");
}

TEST(RuntimeSpecTest, AUserOverThirtyTwoBitsIsRefusedRatherThanCutToAnother) {
  EXPECT_EQ(ProcessSpec::parse(R"({"user":{"uid":4294967295}})").uid(), 4294967295U);
  EXPECT_THROW(ProcessSpec::parse(R"({"user":{"uid":4294967296}})").uid(), Error);
  EXPECT_THROW(ProcessSpec::parse(R"({"user":{"gid":4294967297}})").gid(), Error);
}

TEST(RuntimeSpecTest, AJoinedOrMissingPidNamespaceIsNotOwn) {
  EXPECT_FALSE(RuntimeSpec::parse("{}").has_own_pid_namespace());
  EXPECT_FALSE(RuntimeSpec::parse(R"({"linux":{"namespaces":[{"type":"pid","path":"/proc/1/ns/pid"}]}})")
                   .has_own_pid_namespace());
}

TEST(RuntimeSpecTest, AMountIsAddedBehindAllOthersAndSoLiesOnTop) {
  RuntimeSpec spec = RuntimeSpec::parse(config);
  spec.add_mount({"/nix/store", "bind", "/var/store", {"rbind", "ro"}});
  EXPECT_THAT(spec.dump(), HasSubstr(R"({"destination":"/nix/store","type":"bind",)"
                                     R"("source":"/var/store","options":["rbind","ro"]}])"));
  EXPECT_EQ(spec.places().back(), "/nix/store");
}

TEST(RuntimeSpecTest, SaysWhereMountsAndDevicesAreMade) {
  EXPECT_THAT(RuntimeSpec::parse(R"({"mounts":[{"destination":"/a"},{"type":"tmpfs"}],
                                     "linux":{"devices":[{"path":"/dev/x"}]}})")
                  .places(),
              ElementsAre("/a", "", "/dev/x"));
  EXPECT_THAT(RuntimeSpec::parse(R"({"mounts":7,"linux":[]})").places(), ElementsAre());
}

TEST(RuntimeSpecTest, KnowsItsLimitLabelAndUserNamespace) {
  RuntimeSpec spec = RuntimeSpec::parse(
      R"({"linux":{"mountLabel":"l","resources":{"memory":{"limit":5}},"namespaces":[{"type":"user"}]}})");
  EXPECT_EQ(spec.memory_limit(), 5U);
  EXPECT_EQ(spec.mount_label(), "l");
  EXPECT_TRUE(spec.has_user_namespace());
  EXPECT_EQ(RuntimeSpec::parse(R"({"linux":{"resources":{"memory":{"limit":-1}}}})").memory_limit(), 0U);
  EXPECT_FALSE(RuntimeSpec::parse("{}").has_user_namespace());
}

TEST(RuntimeSpecTest, ASpecWithoutBoundsIsRefusedBeforeItIsBuilt) {
  EXPECT_THROW(RuntimeSpec::parse(R"({"a":)" + std::string(1'000'000, '[')), Error);
  std::string many = R"({"annotations":{)";
  for (int i = 0; i < 200'000; ++i) many += fmt::format("{}\"{}\":\"\"", i == 0 ? "" : ",", i);
  EXPECT_THROW(RuntimeSpec::parse(many + "}}"), Error);
  EXPECT_THROW(RuntimeSpec::parse("{\"a\":\"" + std::string(17 << 20, 'x') + "\"}"), Error);
  EXPECT_THROW(ProcessSpec::parse(R"({"args":["a"],"args":["b"]})"), Error);
  EXPECT_THROW(RuntimeSpec::parse(R"({"annotations":{"k":7}})").annotations("k"), Error);
}

TEST(RuntimeSpecTest, BadJsonIsInvalidInputThatNamesTheFile) {
  TempDir dir;
  std::ofstream(dir.path() / "config.json") << "{oops";
  try {
    RuntimeSpec::load(dir.path() / "config.json");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
    EXPECT_THAT(error.what(), HasSubstr("config.json"));
  }
  EXPECT_THROW(RuntimeSpec::parse("[]"), Error);
}

TEST(RuntimeSpecTest, VariablesAreSetInPlaceAndTheLastOfEqualNamesCounts) {
  Environment environment{"PATH=/a", "PATHX=1", "PATH=/b"};
  EXPECT_EQ(get_variable(environment, "PATH"), "/b");
  EXPECT_EQ(get_variable(environment, "PAT"), std::nullopt);
  set_variable(environment, "PATH", "/c");
  set_variable(environment, "HOME", "/");
  EXPECT_THAT(environment, ElementsAre("PATH=/c", "PATHX=1", "PATH=/c", "HOME=/"));
}

TEST(RuntimeSpecTest, NumbersOfUsersAreThoseOfTheMachine) {
  const RuntimeSpec spec = RuntimeSpec::parse(
      R"({"linux":{"uidMappings":[{"containerID":0,"hostID":100000,"size":1000},{"containerID":5000,"hostID":7,"size":1}],
          "gidMappings":[{"containerID":0,"hostID":4294967290,"size":100}]}})");
  EXPECT_EQ(spec.host_uid(0), 100000u);
  EXPECT_EQ(spec.host_uid(999), 100999u);
  EXPECT_EQ(spec.host_uid(5000), 7u);
  EXPECT_THROW(spec.host_uid(1000), Error);
  EXPECT_EQ(spec.host_gid(5), 4294967295u);
  EXPECT_THROW(spec.host_gid(6), Error);
  EXPECT_EQ(RuntimeSpec::parse("{}").host_uid(1000), 1000u);
}

}  // namespace
}  // namespace flox::oci
