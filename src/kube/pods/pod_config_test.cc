#include "kube/pods/pod_config.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "kube/reading/manifest.h"

namespace flox::kube {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::Pair;

PodRecord pod_with(const json& spec) {
  PodRecord record;
  record.uid = "11111111-2222";
  record.document = {{"apiVersion", "v1"},
                     {"kind", "Pod"},
                     {"metadata",
                      {{"name", "web"},
                       {"namespace", "shop"},
                       {"labels", {{"app", "x"}}},
                       {"annotations", {{"flox.dev/environment", "shop/web"}}}}},
                     {"spec", spec}};
  record.object = read_object(record.document, "test");
  return record;
}

const PodPlace place{"state1", "/flox-kube", "node1", "/logs"};

ContainerConfig config_of(const PodRecord& pod, const ObjectIndex& objects = {}, ImageInfo image = {}) {
  static const std::map<std::string, std::string> no_volumes;
  return make_container_config(pod, pod.spec().containers.at(0), 2, place,
                               {objects, no_volumes, "10.0.0.7", image, {}});
}

TEST(Expand, replaces_known_variables_only) {
  const std::vector<std::pair<std::string, std::string>> variables = {{"A", "1"}, {"B", "2"}};
  EXPECT_EQ(expand("$(A)-$(B)-$(C)-$$(A)-$A-$", variables), "1-2-$(C)-$(A)-$A-$");
}

TEST(PodConfig, refuses_variables_that_double_each_other) {
  const auto refusal = [](const json& env, const json& args) -> std::string {
    const auto pod =
        pod_with({{"containers", {{{"name", "c"}, {"image", "i"}, {"env", env}, {"args", args}}}}});
    try {
      config_of(pod);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  json env = {{{"name", "V0"}, {"value", std::string(1000, 'x')}}};
  for (int i = 1; i < 40; ++i)
    env.push_back({{"name", fmt::format("V{}", i)}, {"value", fmt::format("$(V{0})$(V{0})", i - 1)}});
  EXPECT_THAT(refusal(env, json::array()), testing::HasSubstr("has more than 131072 bytes"));
  // Each below the limit, but many of them: of variables, of arguments, and of both.
  json many = {{{"name", "V"}, {"value", std::string(100'000, 'x')}}};
  const json one = many;
  for (int i = 0; i < 80; ++i) many.push_back({{"name", fmt::format("W{}", i)}, {"value", "$(V)"}});
  EXPECT_THAT(refusal(many, json::array()), testing::HasSubstr("more than 6291456 bytes"));
  EXPECT_THAT(refusal(one, std::vector<std::string>(80, "$(V)")),
              testing::HasSubstr("more than 6291456 bytes"));
  EXPECT_THAT(refusal(one, {std::string("$(V)$(V)")}), testing::HasSubstr("has more than 131072 bytes"));
  EXPECT_EQ(refusal(one, {std::string("$(V)")}), "");
}

TEST(PodConfig, gives_containers_their_variables_in_kubernetes_order_of_precedence) {
  ObjectIndex objects({{{"ConfigMap", "shop", "settings"},
                        {"ConfigMap",
                         "v1",
                         {"settings", "shop", {}, {}},
                         KeyedData{{{"A", "from-map"}, {"B", "from-map"}}}}}});
  const auto pod = pod_with(
      {{"containers",
        {{{"name", "c"},
          {"image", "i"},
          {"args", {"--colour=$(B)"}},
          {"envFrom", {{{"configMapRef", {{"name", "settings"}}}}}},
          {"env",
           {{{"name", "A"}, {"value", "own"}},
            {{"name", "NAME"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "metadata.name"}}}}}},
            {{"name", "IP"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "status.podIP"}}}}}},
            {{"name", "APP"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "metadata.labels['app']"}}}}}},
            {{"name", "URL"}, {"value", "http://$(IP)/$(NAME)"}}}}}}}});
  const auto config = config_of(pod, objects);
  EXPECT_THAT(config.env, Contains(Pair("A", "own")));
  EXPECT_THAT(config.env, Contains(Pair("B", "from-map")));
  EXPECT_THAT(config.env, Contains(Pair("APP", "x")));
  EXPECT_THAT(config.env, Contains(Pair("URL", "http://10.0.0.7/web")));
  EXPECT_EQ(config.args, std::vector<std::string>{"--colour=from-map"});
  EXPECT_EQ(config.log_path, "c/2.log");
}

TEST(PodConfig, labels_and_annotations_are_those_of_a_kubelet) {
  const auto pod = pod_with({{"containers", {{{"name", "c"}, {"image", "i"}}}}});
  const auto sandbox = make_sandbox_config(pod, place, 0);
  EXPECT_THAT(sandbox.labels, Contains(Pair("io.kubernetes.pod.namespace", "shop")));
  EXPECT_THAT(sandbox.labels, Contains(Pair("app", "x")));
  EXPECT_THAT(sandbox.annotations, Contains(Pair("flox.dev/environment", "shop/web")));
  EXPECT_EQ(sandbox.cgroup_parent, "/flox-kube/pod11111111-2222");
  EXPECT_THAT(config_of(pod).labels, Contains(Pair("io.kubernetes.container.name", "c")));
}

TEST(PodConfig, cgroups_below_a_slice_are_slices) {
  EXPECT_EQ(pod_cgroup("flox-kube.slice", "a-b"), "flox-kube-poda_b.slice");
}

TEST(PodConfig, resources_become_shares_quota_limit_and_oom_score) {
  const auto pod = pod_with({{"containers",
                              {{{"name", "c"},
                                {"image", "i"},
                                {"resources",
                                 {{"requests", {{"cpu", "1000m"}, {"memory", "2Gi"}}},
                                  {"limits", {{"cpu", "2000m"}, {"memory", "4Gi"}}}}}}}}});
  const auto resources = make_resources(pod.spec(), pod.spec().containers[0].resources, 8LL << 30);
  EXPECT_EQ(resources.cpu_shares, 1024);
  EXPECT_EQ(resources.cpu_quota, 200000);
  EXPECT_EQ(resources.cpu_period, 100000);
  EXPECT_EQ(resources.memory_limit, 4LL << 30);
  EXPECT_EQ(resources.oom_score_adj, 750);
  EXPECT_EQ(
      make_resources(pod_with({{"containers", {{{"name", "c"}, {"image", "i"}}}}}).spec(), {}, 8LL << 30)
          .oom_score_adj,
      1000);
}

TEST(PodConfig, a_containers_security_context_wins_over_the_pods) {
  const auto pod =
      pod_with({{"securityContext", {{"runAsUser", 1000}, {"runAsGroup", 1001}, {"fsGroup", 2000}}},
                {"containers",
                 {{{"name", "c"},
                   {"image", "i"},
                   {"securityContext",
                    {{"runAsUser", 7},
                     {"readOnlyRootFilesystem", true},
                     {"allowPrivilegeEscalation", false},
                     {"capabilities", {{"drop", {"ALL"}}}}}}}}}});
  const auto config = config_of(pod);
  EXPECT_EQ(config.run_as_user, 7);
  EXPECT_EQ(config.run_as_group, 1001);
  EXPECT_EQ(config.supplemental_groups, std::vector<int64_t>{2000});
  EXPECT_TRUE(config.readonly_rootfs && config.no_new_privileges);
  EXPECT_EQ(config.drop_capabilities, std::vector<std::string>{"ALL"});
  EXPECT_THAT(config.masked_paths, Contains("/proc/kcore"));
}

TEST(PodConfig, refuses_root_where_the_pod_must_not_be_root) {
  const auto pod = pod_with(
      {{"securityContext", {{"runAsNonRoot", true}}}, {"containers", {{{"name", "c"}, {"image", "i"}}}}});
  EXPECT_THROW(config_of(pod, {}, {"id", 0, ""}), Error);
  EXPECT_THROW(config_of(pod, {}, {"id", std::nullopt, "www"}), Error);
  EXPECT_NO_THROW(config_of(pod, {}, {"id", 5, ""}));
}

TEST(PodConfig, sandbox_and_containers_share_processes_or_do_not) {
  for (const bool shared : {false, true}) {
    const PodRecord pod =
        pod_with({{"shareProcessNamespace", shared}, {"containers", {{{"name", "c"}, {"image", "i"}}}}});
    EXPECT_EQ(make_sandbox_config(pod, place, 0).share_process_namespace, shared);
    EXPECT_EQ(config_of(pod, {}, {"id", 0, ""}).share_process_namespace, shared);
  }
}

TEST(PodConfig, identity_labels_are_not_a_pods_to_choose) {
  PodRecord pod = pod_with({{"containers", {{{"name", "c"}, {"image", "i"}}}}});
  pod.object.metadata.labels = {{uid_label, "another"}, {state_label, "another"}, {"app", "x"}};
  const SandboxConfig config = make_sandbox_config(pod, place, 0);
  EXPECT_THAT(config.labels, Contains(Pair(uid_label, "11111111-2222")));
  EXPECT_THAT(config.labels, Contains(Pair(state_label, "state1")));
  EXPECT_THAT(config.labels, Contains(Pair("app", "x")));
}

// The subPaths of a pod's mounts as they reach the runtime, or the error.
std::vector<std::string> sub_paths(const json& mounts, const json& env = json::array()) {
  const auto pod =
      pod_with({{"containers", {{{"name", "c"}, {"image", "i"}, {"volumeMounts", mounts}, {"env", env}}}},
                {"volumes", {{{"name", "v"}, {"emptyDir", json::object()}}}}});
  const std::map<std::string, std::string> volumes = {{"v", "/volume"}};
  std::vector<std::string> seen;
  try {
    make_container_config(
        pod, pod.spec().containers.at(0), 0, place,
        {{}, volumes, "", {}, [&](const VolumeMount&, size_t index, const std::string& path) {
           seen.push_back(std::to_string(index) + ":" + path);
           return "/bound";
         }});
  } catch (const Error& error) {
    return {error.what()};
  }
  return seen;
}

TEST(PodConfig, expands_variables_in_a_sub_path_expr_and_only_there) {
  EXPECT_THAT(sub_paths({{{"name", "v"}, {"mountPath", "/a"}, {"subPathExpr", "of/$(POD)/$$(POD)"}},
                         {{"name", "v"}, {"mountPath", "/b"}},
                         {{"name", "v"}, {"mountPath", "/c"}, {"subPath", "$(POD)"}}},
                        {{{"name", "POD"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "metadata.name"}}}}}}}),
              testing::ElementsAre("0:of/web/$(POD)", "2:$(POD)"));
}

TEST(PodConfig, refuses_a_sub_path_expr_that_would_widen_what_is_mounted) {
  const auto with = [](const std::string& expression, const std::string& value) {
    return sub_paths({{{"name", "v"}, {"mountPath", "/a"}, {"subPathExpr", expression}}},
                     {{{"name", "A"}, {"value", value}}});
  };
  EXPECT_THAT(with("$(B)", "x").at(0), testing::HasSubstr("missing value for B"));
  EXPECT_THAT(with("of/$(A)", "").at(0), testing::HasSubstr("missing value for A"));
  for (const char* value : {"..", "/etc", "a/../..", ".", "./", "./."})
    EXPECT_THAT(with("$(A)", value).at(0), testing::HasSubstr("is not a path inside the volume")) << value;
}

}  // namespace
}  // namespace flox::kube
