#include "kube/pods/pod_security.h"

#include <gtest/gtest.h>

#include "kube/reading/manifest.h"

namespace flox::kube {
namespace {

using nlohmann::json;

PodSpec spec_of(const json& spec) {
  const json document = {
      {"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", {{"name", "a"}}}, {"spec", spec}};
  return std::get<Pod>(read_object(document, "test").body).spec;
}

TEST(PodSecurity, levels_forbid_what_the_standards_say) {
  const auto violation = [](const json& security, const json& volumes, const std::string& level) {
    return pod_security_violation(
        spec_of({{"containers", {{{"name", "c"}, {"image", "i"}, {"securityContext", security}}}},
                 {"volumes", volumes}}),
        level);
  };
  const json none = json::array(), host = {{{"name", "h"}, {"hostPath", {{"path", "/"}}}}};
  EXPECT_EQ(violation({{"privileged", true}}, host, "privileged"), "");
  EXPECT_EQ(violation(json::object(), host, "baseline"), "hostPath volume h");
  EXPECT_EQ(violation({{"privileged", true}}, none, "baseline"), "container c: privileged");
  EXPECT_EQ(violation({{"capabilities", {{"add", {"NET_RAW"}}}}}, none, "baseline"),
            "container c: capability NET_RAW");
  EXPECT_EQ(violation(json::object(), none, "baseline"), "");
  const json good = {{"allowPrivilegeEscalation", false},
                     {"runAsNonRoot", true},
                     {"seccompProfile", {{"type", "RuntimeDefault"}}},
                     {"capabilities", {{"drop", {"ALL"}}}}};
  EXPECT_EQ(violation(good, none, "restricted"), "");
  for (const auto& [field, value] : good.items()) {
    json worse = good;
    worse.erase(field);
    EXPECT_NE(violation(worse, none, "restricted"), "") << field;
  }
  EXPECT_EQ(enforced_level({{"pod-security.kubernetes.io/enforce", "typo"}}), "restricted");
  EXPECT_EQ(enforced_level({}), "privileged");
}

TEST(PodSecurity, baseline_has_no_probe_ask_other_hosts) {
  const auto violation = [](const char* kind, const json& probe, const char* level) {
    return pod_security_violation(spec_of({{"containers", {{{"name", "c"}, {"image", "i"}, {kind, probe}}}}}),
                                  level);
  };
  const json metadata = {
      {"httpGet", {{"host", "169.254.169.254"}, {"port", 80}, {"path", "/latest/meta-data"}}}};
  const json loopback = {{"tcpSocket", {{"host", "127.0.0.1"}, {"port", 2375}}}};
  for (const char* kind : {"livenessProbe", "readinessProbe", "startupProbe"})
    for (const auto& probe : {metadata, loopback}) {
      EXPECT_EQ(violation(kind, probe, "baseline"), "container c: a probe of another host") << probe;
      EXPECT_EQ(violation(kind, probe, "privileged"), "");
    }
  EXPECT_EQ(violation("livenessProbe", {{"httpGet", {{"port", 80}}}}, "baseline"), "");
}

}  // namespace
}  // namespace flox::kube
