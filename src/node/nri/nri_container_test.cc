#include "node/nri/nri_container.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "imageless/annotations.h"
#include "imageless/spec_edit.h"

namespace flox::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class NriContainerTest : public testing::Test {
 protected:
  NriContainerTest() {
    pod_.set_id("sandbox1");
    pod_.set_name("web");
    pod_.set_namespace_("team-a");
    pod_.set_uid("uid1");
    (*pod_.mutable_annotations())["flox.dev/environment"] = "acme/web:3";
    container_.set_id("c1");
    container_.set_name("main");
    for (const char* word : {"server", "--port", "80"}) container_.add_args(word);
    for (const char* entry : {"PATH=/bin", "MODE=old", "GONE=1"}) container_.add_env(entry);
    auto* mount = container_.add_mounts();
    mount->set_destination("/data");
    mount->set_source("/var/data");
    mount->set_type("bind");
    mount->add_options("rbind");
  }
  nri_api::ContainerAdjustment activated(const v1::PrepareResponse& answer, NriAbilities abilities) {
    const oci::RuntimeSpec before = spec_of(pod_, container_);
    oci::RuntimeSpec after = spec_of(pod_, container_);
    oci::Environment environment = imageless::first_environment(before.process(), true);
    imageless::mount_store(answer, after);
    imageless::activate(answer, after, environment);
    return adjustment_of(before, after, abilities);
  }
  static v1::PrepareResponse answer() {
    v1::PrepareResponse answer;
    answer.set_store_directory("/nix/store");
    answer.set_pod_socket_directory("/run/flox/pod");
    for (const char* entry : {"PATH=/nix/store/p/bin:/bin", "MODE=old", "FLOX_ENV=/nix/store/p"})
      answer.add_env(entry);
    for (const char* word : {"/nix/store/p/bin/server", "--port", "80"}) answer.add_args(word);
    return answer;
  }
  static std::map<std::string, std::string> variables_of(const nri_api::ContainerAdjustment& adjustment) {
    std::map<std::string, std::string> variables;
    for (const auto& variable : adjustment.env()) variables[variable.key()] = variable.value();
    return variables;
  }
  nri_api::PodSandbox pod_;
  nri_api::Container container_;
};

TEST_F(NriContainerTest, WhoAContainerIsIsContainerdsWordAndNotItsAuthors) {
  auto& annotations = *pod_.mutable_annotations();
  annotations["io.kubernetes.cri.sandbox-namespace"] = "kube-system";
  annotations["io.kubernetes.cri.sandbox-uid"] = "other";
  annotations["io.kubernetes.cri.image-name"] = "docker.io/flox/empty:1";
  annotations["io.kubernetes.cri.container-type"] = "sandbox";
  const auto who = imageless::identity_of("c1", spec_of(pod_, container_));
  EXPECT_EQ(who.container_id(), "c1");
  EXPECT_EQ(who.pod_id(), "sandbox1");
  EXPECT_EQ(who.pod_namespace(), "team-a");
  EXPECT_EQ(who.pod_name(), "web");
  EXPECT_EQ(who.pod_uid(), "uid1");
  EXPECT_EQ(who.container_name(), "main");
  EXPECT_FALSE(imageless::has_stub_image(spec_of(pod_, container_)));
  EXPECT_FALSE(imageless::is_sandbox(spec_of(pod_, container_)));
}

TEST_F(NriContainerTest, TheRequestIsTheOneThatTheShimWouldMake) {
  container_.mutable_user()->set_uid(1000);
  const oci::RuntimeSpec spec = spec_of(pod_, container_);
  const auto request = imageless::request_for("c1", spec, {}, spec.process().env(), [](const auto&) {});
  EXPECT_EQ(request.environment(), "acme/web:3");
  EXPECT_THAT(request.args(), ElementsAre("server", "--port", "80"));
  EXPECT_EQ(request.uid(), 1000u);
}

TEST_F(NriContainerTest, AnAdjustmentHoldsWhatHasChangedAndNothingElse) {
  const auto adjustment = activated(answer(), {.args = true});
  ASSERT_EQ(adjustment.mounts_size(), 2);
  EXPECT_EQ(adjustment.mounts(0).destination(), "/nix/store");
  EXPECT_THAT(adjustment.mounts(0).options(), testing::Contains("ro"));
  EXPECT_EQ(adjustment.mounts(1).destination(), "/run/flox");
  EXPECT_EQ(variables_of(adjustment),
            (std::map<std::string, std::string>{
                {"PATH", "/nix/store/p/bin:/bin:/usr/bin"}, {"FLOX_ENV", "/nix/store/p"}, {"-GONE", ""}}));
  EXPECT_THAT(adjustment.args(), ElementsAre("/nix/store/p/bin/server", "--port", "80"));
}

TEST_F(NriContainerTest, WithoutArgumentsAProgramIsFoundByPathAndHooksAreRefused) {
  v1::PrepareResponse with_hooks = answer();
  EXPECT_EQ(activated(with_hooks, {}).args_size(), 0);
  with_hooks.clear_args();
  for (const char* word : {"/nix/store/r/bin/sh", "-c", "…", "server"}) with_hooks.add_args(word);
  try {
    activated(with_hooks, {});
    FAIL() << "hooks would not have run";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("hooks"));
  }
}

TEST_F(NriContainerTest, AMountThatIsReplacedKeepsItsPlace) {
  const oci::RuntimeSpec before = spec_of(pod_, container_);
  oci::RuntimeSpec after = spec_of(pod_, container_);
  after.set_mount(0, {{}, "bind", "/nix/store/m", {"rbind", "ro"}});
  const auto adjustment = adjustment_of(before, after, {});
  ASSERT_EQ(adjustment.mounts_size(), 1);
  EXPECT_EQ(adjustment.mounts(0).destination(), "/data");
  EXPECT_EQ(adjustment.mounts(0).source(), "/nix/store/m");
}

// NRI takes "-NAME" for the removal of NAME.
TEST_F(NriContainerTest, AVariableWithADashInFrontIsRefused) {
  v1::PrepareResponse strange = answer();
  strange.add_env("-PATH=x");
  EXPECT_THROW(activated(strange, {.args = true}), Error);
}

TEST(NriAbilitiesTest, TheCommandCanBeChangedFromContainerd22On) {
  for (const char* version : {"v2.2.0", "2.4.2", "v2.10.1", "v3.0.0-rc.1"})
    EXPECT_TRUE(NriAbilities::of("containerd", version).args) << version;
  for (const char* version : {"1.7.29", "v2.1.9", "v2", "", "v", "2.x", "99999999999.3"})
    EXPECT_FALSE(NriAbilities::of("containerd", version).args) << version;
  EXPECT_FALSE(NriAbilities::of("cri-o", "1.34.0").args);
}

}  // namespace
}  // namespace flox::node
