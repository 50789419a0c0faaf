#include "shim/sandbox/pod_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/error.h"
#include "shim/testing/any.h"
#include "testing/error_of.h"
#include "testing/format_page.h"

namespace flox::shim {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

wire::Any any_of_pod(const wire::PodSandboxConfig& config) {
  return any_of("runtime.v1.PodSandboxConfig", config.SerializeAsString());
}

wire::NamespaceOption& namespaces_of(wire::PodSandboxConfig& config) {
  return *config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
}

std::vector<std::string> types_of(const oci::SandboxSpec& spec) {
  std::vector<std::string> types;
  for (const auto& entry : spec.namespaces) types.push_back(entry.type + entry.path);
  return types;
}

TEST(SandboxPage, ShowsAPodsConfiguration) {
  std::istringstream words(format_example("sandbox.md", "pod-config-hex"));
  std::string bytes;
  for (std::string word; words >> word;) bytes += static_cast<char>(std::stoi(word, nullptr, 16));
  const PodConfig config = PodConfig::decode(any_of("runtime.v1.PodSandboxConfig", bytes));
  EXPECT_EQ(config.hostname, "web");
  EXPECT_EQ(config.resolv_conf, "nameserver 10.96.0.1\n");
  EXPECT_EQ(config.cgroup, "/pods/p1");
  EXPECT_TRUE(config.shared_pid);
  EXPECT_TRUE(config.host_ipc);
  EXPECT_FALSE(config.host_network);
}

TEST(PodConfigTest, WithoutOptionsTheNodesFilesAreTakenAndTheNamespacesAreNew) {
  const PodConfig config = PodConfig::decode({});
  EXPECT_FALSE(config.resolv_conf);
  EXPECT_THAT(types_of(config.sandbox_spec("")), ElementsAre("ipc", "uts"));
}

TEST(PodConfigTest, WhatIsTheNodesIsNotMade) {
  wire::PodSandboxConfig message;
  message.set_hostname("web");
  namespaces_of(message).set_pid(wire::CONTAINER);
  const PodConfig own = PodConfig::decode(any_of_pod(message));
  EXPECT_THAT(types_of(own.sandbox_spec("/netns/a")), ElementsAre("network/netns/a", "ipc", "uts"));
  EXPECT_EQ(own.sandbox_spec("/netns/a").hostname, "web");
  EXPECT_FALSE(own.shared_pid);
  namespaces_of(message).set_network(wire::NODE);
  EXPECT_THAT(error_of([&] { PodConfig::decode(any_of_pod(message)); }), HasSubstr("hostname web"));
  message.clear_hostname();
  namespaces_of(message).set_ipc(wire::NODE);
  namespaces_of(message).set_pid(wire::NODE);
  const PodConfig of_node = PodConfig::decode(any_of_pod(message));
  EXPECT_THAT(types_of(of_node.sandbox_spec("")), ElementsAre());
  EXPECT_TRUE(of_node.host_pid);
}

TEST(PodConfigTest, NameServersSearchDomainsAndOptionsBecomeAFile) {
  wire::PodSandboxConfig message;
  message.mutable_dns_config();
  EXPECT_EQ(PodConfig::decode(any_of_pod(message)).resolv_conf, "") << "none is none, not the node's";
  message.mutable_dns_config()->add_servers("10.0.0.1");
  message.mutable_dns_config()->add_servers("10.0.0.2");
  message.mutable_dns_config()->add_searches("svc");
  message.mutable_dns_config()->add_searches("local");
  message.mutable_dns_config()->add_options("ndots:5");
  EXPECT_EQ(PodConfig::decode(any_of_pod(message)).resolv_conf,
            "search svc local\nnameserver 10.0.0.1\nnameserver 10.0.0.2\noptions ndots:5\n");
}

TEST(PodConfigTest, ASysctlOfTheNodeIsRefused) {
  wire::PodSandboxConfig message;
  (*message.mutable_linux()->mutable_sysctls())["net.core.somaxconn"] = "9";
  EXPECT_THAT(PodConfig::decode(any_of_pod(message)).sysctls, ElementsAre(Pair("net.core.somaxconn", "9")));
  namespaces_of(message).set_network(wire::NODE);
  EXPECT_THAT(error_of([&] { PodConfig::decode(any_of_pod(message)); }), HasSubstr("net.core.somaxconn"));
  namespaces_of(message).set_network(wire::POD);
  (*message.mutable_linux()->mutable_sysctls())["kernel.shmmax"] = "9";
  EXPECT_EQ(PodConfig::decode(any_of_pod(message)).sysctls.size(), 2u);
  namespaces_of(message).set_ipc(wire::NODE);
  EXPECT_THAT(error_of([&] { PodConfig::decode(any_of_pod(message)); }), HasSubstr("kernel.shmmax"));
  message.mutable_linux()->mutable_sysctls()->clear();
  (*message.mutable_linux()->mutable_sysctls())["vm.swappiness"] = "9";
  EXPECT_THAT(error_of([&] { PodConfig::decode(any_of_pod(message)); }), HasSubstr("vm.swappiness"));
}

TEST(PodConfigTest, WhatItCannotGiveIsRefusedByName) {
  wire::PodSandboxConfig message;
  namespaces_of(message).mutable_userns_options()->set_mode(wire::NODE);
  PodConfig::decode(any_of_pod(message));
  namespaces_of(message).mutable_userns_options()->set_mode(wire::POD);
  EXPECT_THAT(error_of([&] { PodConfig::decode(any_of_pod(message)); }), HasSubstr("hostUsers"));
  wire::PodSandboxConfig outside;
  for (const char* path : {"pods/a", "/pods/../..", "/.."}) {
    outside.mutable_linux()->set_cgroup_parent(path);
    EXPECT_THAT(error_of([&] { PodConfig::decode(any_of_pod(outside)); }), HasSubstr("no absolute path"));
  }
  EXPECT_THAT(error_of([] { PodConfig::decode(any_of("a.B", "")); }), HasSubstr("a.B"));
  EXPECT_THAT(error_of([] { PodConfig::decode(any_of("runtime.v1.PodSandboxConfig", "\x12\x7f")); }),
              HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace flox::shim
