#include "oci/sandbox_spec.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "oci/runtime_spec.h"

namespace flox::oci {
namespace {

using testing::ElementsAre;

const char* const plain_sandbox = R"({
  "annotations": {"io.kubernetes.cri.container-type": "sandbox"}, "hostname": "pod",
  "process": {"args": ["/pause"], "user": {"uid": 5, "gid": 6, "additionalGids": [7]}, "oomScoreAdj": -998,
              "cwd": "/", "noNewPrivileges": true},
  "linux": {"cgroupsPath": "/kubepods/pod1/sandbox", "sysctl": {"net.ipv4.ip_forward": "1", "kernel.sem": "1 2 3 4"},
            "resources": {"devices": [{"allow": false, "access": "rwm"}], "cpu": {"shares": 2}},
            "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                           {"type": "network", "path": "/run/netns/pod"}]}})";

// What keeps the sandbox from being made by the shim, when `patch` (RFC 7396) is applied to a plain one.
std::string reason_against(const char* patch) {
  nlohmann::json spec = nlohmann::json::parse(plain_sandbox);
  spec.merge_patch(nlohmann::json::parse(patch));
  std::string why;
  return SandboxSpec::of(RuntimeSpec::parse(spec.dump()), why) ? "none" : why;
}

TEST(SandboxSpec, reads_a_plain_one) {
  std::string why;
  auto spec = SandboxSpec::of(RuntimeSpec::parse(plain_sandbox), why);
  ASSERT_TRUE(spec) << why;
  EXPECT_EQ(spec->uid, 5U);
  EXPECT_EQ(spec->gid, 6U);
  EXPECT_THAT(spec->additional_gids, ElementsAre(7));
  EXPECT_EQ(spec->oom_score_adj, -998);
  EXPECT_EQ(spec->hostname, "pod");
  EXPECT_EQ(spec->cpu_shares, 2U);
  EXPECT_EQ(spec->cgroups_path, "/kubepods/pod1/sandbox");
  EXPECT_EQ(spec->sysctls.size(), 2U);
  EXPECT_EQ(spec->namespaces.back().path, "/run/netns/pod");
}

TEST(SandboxSpec, leaves_everything_else_to_the_oci_runtime) {
  EXPECT_EQ(reason_against("{}"), "none");
  EXPECT_EQ(reason_against(R"({"hooks": {"prestart": [{"path": "/x"}]}})"), "spec.hooks");
  EXPECT_EQ(reason_against(R"({"process": {"args": ["/bin/sh"]}})"), "process.args");
  EXPECT_EQ(reason_against(R"({"process": {"selinuxLabel": "s0"}})"), "process.selinuxLabel");
  EXPECT_EQ(reason_against(R"({"process": {"apparmorProfile": "p"}})"), "process.apparmorProfile");
  EXPECT_EQ(reason_against(R"({"process": {"rlimits": [{}]}})"), "process.rlimits");
  EXPECT_EQ(reason_against(R"({"linux": {"uidMappings": [{}]}})"), "linux.uidMappings");
  EXPECT_EQ(reason_against(R"({"linux": {"resources": {"memory": {"limit": 5}}}})"),
            "linux.resources.memory");
  EXPECT_EQ(reason_against(R"({"linux": {"resources": {"devices": [{"allow": true}]}}})"),
            "linux.resources.devices");
  EXPECT_EQ(reason_against(R"({"linux": {"cgroupsPath": "a.slice:cri:b"}})"), "linux.cgroupsPath");
  EXPECT_EQ(reason_against(R"({"linux": {"cgroupsPath": "/kubepods/../../x"}})"), "linux.cgroupsPath");
  EXPECT_EQ(reason_against(R"({"process": {"user": {"uid": 4294967296}}})"),
            "process.user: a number over 32 bits");
  EXPECT_EQ(reason_against(R"({"process": {"user": {"gid": -1}}})"), "process.user: a number over 32 bits");
  EXPECT_EQ(reason_against(R"({"linux": {"namespaces": [{"type": "user"}]}})"), "linux.namespaces: user");
  EXPECT_EQ(reason_against(R"({"annotations": {"io.kubernetes.cri.container-type": "container"}})"),
            "no sandbox");
}

TEST(SandboxSpec, never_takes_what_would_be_set_for_the_node) {
  const char* const only_mount = R"("namespaces": [{"type": "mount"}])";
  EXPECT_EQ(reason_against(fmt::format(R"({{"linux": {{{}}}}})", only_mount).c_str()),
            "linux.sysctl: kernel.sem");
  EXPECT_EQ(reason_against(fmt::format(R"({{"linux": {{"sysctl": null, {}}}}})", only_mount).c_str()),
            "hostname");
  EXPECT_EQ(reason_against(R"({"linux": {"sysctl": {"vm.swappiness": "7"}}})"),
            "linux.sysctl: vm.swappiness");
  EXPECT_EQ(reason_against(R"({"linux": {"sysctl": {"net/ipv4/conf/eth0.1/forwarding": "1"}}})"),
            "linux.sysctl: net/ipv4/conf/eth0.1/forwarding");
  EXPECT_EQ(reason_against(R"({"hostname": null, "linux": {"sysctl": null, "namespaces": []}})"),
            "linux.namespaces: no mount namespace");
}

}  // namespace
}  // namespace flox::oci
