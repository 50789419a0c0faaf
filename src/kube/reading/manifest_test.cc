#include "kube/reading/manifest.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/os/file.h"
#include "kube/reading/fields.h"

namespace flox::kube {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

struct Read {
  std::vector<Manifest> manifests;
  std::vector<std::string> notes;
};

Read read(const std::string& text) {
  Read result;
  result.manifests = read_manifests(text, "app.yaml", {}, result.notes);
  return result;
}

std::string error_of(const std::string& text) {
  try {
    read(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::string pod(const std::string& container_fields, const std::string& pod_fields = "") {
  return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n" + pod_fields +
         "  containers:\n  - name: server\n    image: img\n" + container_fields;
}

TEST(Quantity, reads_kubernetes_quantities) {
  EXPECT_EQ(parse_quantity("500m", true), 500);
  EXPECT_EQ(parse_quantity("2", true), 2000);
  EXPECT_EQ(parse_quantity("1.5", true), 1500);
  EXPECT_EQ(parse_quantity("2Gi", false), 2147483648);
  EXPECT_EQ(parse_quantity("1k", false), 1000);
  EXPECT_EQ(parse_quantity("1e3", false), 1000);
  EXPECT_EQ(parse_quantity("100m", false), 1) << "a part of a byte is a byte";
  for (const char* bad : {"", "Gi", "2gb", "1.2.3", "-1", "five", "0e9999", "1e9999"})
    EXPECT_FALSE(parse_quantity(bad, false)) << bad;
}

TEST(Manifest, refuses_text_that_is_not_utf8) {
  EXPECT_THAT(error_of("apiVersion: v1\nkind: Nam\x93space\nmetadata:\n  name: x\n"), HasSubstr("not UTF-8"));
}

TEST(Integers, are_read_as_kubernetes_reads_them_in_yaml) {
  EXPECT_EQ(parse_integer("0644"), 0644);
  EXPECT_EQ(parse_integer("0o644"), 0644);
  EXPECT_EQ(parse_integer("0x1a4"), 0644);
  EXPECT_EQ(parse_integer("-7"), -7);
  EXPECT_EQ(parse_integer("0"), 0);
  for (const char* text : {"", "-", "0999", "0o", "0x", "1.5", "--1", "0x-1", "9223372036854775808"})
    EXPECT_EQ(parse_integer(text), std::nullopt) << text;
}

TEST(Manifest, keeps_a_files_mode_as_it_was_read) {
  const auto text = pod("", "  volumes:\n  - name: s\n    secret: {secretName: s, defaultMode: 0400}\n");
  const Manifest manifest = read(text).manifests.at(0);
  const auto mode = [](const Object& object) {
    return std::get<KeyedVolume>(std::get<Pod>(object.body).spec.volumes.at(0).source).mode;
  };
  EXPECT_EQ(mode(manifest.object), 0400u);
  EXPECT_EQ(mode(read_object(manifest.json, "state")), 0400u);
}

TEST(Manifest, reads_several_documents_and_lists_and_skips_empty_ones) {
  const auto result = read(
      "---\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n"
      "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: b}}\n");
  ASSERT_EQ(result.manifests.size(), 2u);
  EXPECT_EQ(result.manifests[1].object.metadata.name, "b");
}

TEST(Manifest, names_file_line_and_column_of_bad_yaml) {
  EXPECT_THAT(error_of("apiVersion: v1\nkind: [\n"), HasSubstr("app.yaml:3:1: "));
}

TEST(Manifest, refuses_text_at_which_yaml_cpp_would_stand_for_ever) {
  EXPECT_THAT(error_of("- a\n, b\n"), HasSubstr("app.yaml:2:1: no document begins like this"));
  EXPECT_TRUE(read("---\n---\n\n---\n# nothing\n---\n").manifests.empty());
}

TEST(Manifest, names_the_place_and_field_of_a_bad_value) {
  EXPECT_THAT(
      error_of(pod("    env:\n    - name: A\n      value: 20\n")),
      testing::AllOf(HasSubstr("app.yaml:11:14"), HasSubstr("Pod web: spec.containers[0].env[0].value"),
                     HasSubstr("write \"20\"")));
  EXPECT_THAT(error_of(pod("    livenessProbe: {exec: {command: [a]}, periodSeconds: often}\n")),
              HasSubstr("expected a whole number, found \"often\""));
  EXPECT_THAT(error_of(pod("    volumeMounts: [{name: nothing, mountPath: /a}]\n")),
              HasSubstr("mounts the volume nothing, which the pod does not have"));
  EXPECT_THAT(error_of(pod("    resources: {limits: {memory: lots}}\n")), HasSubstr("expected a quantity"));
  EXPECT_THAT(error_of("kind: Pod\nmetadata: {name: a}\n"), HasSubstr("apiVersion: is missing"));
  EXPECT_THAT(error_of("apiVersion: v1\nkind: Deployment\nmetadata: {name: a}\n"),
              HasSubstr("Deployment is of apps/v1, not of v1"));
}

TEST(Manifest, refuses_a_selector_that_does_not_match_the_template) {
  EXPECT_THAT(
      error_of("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  selector: {matchLabels: "
               "{app: x}}\n"
               "  template: {metadata: {labels: {app: y}}, spec: {containers: [{name: c, image: i}]}}\n"),
      HasSubstr("does not match the template's labels: app=x"));
}

TEST(Manifest, reports_every_field_that_nothing_is_done_with) {
  const auto result =
      read(pod("    imagePullPolicy: Always\n", "  nodeSelector: {a: b}\n  tolerations: [{key: x}]\n"));
  EXPECT_THAT(result.notes,
              Contains(HasSubstr("spec.containers[0].imagePullPolicy: noted; images are never pulled")));
  EXPECT_THAT(result.notes, Contains("Pod web: spec.nodeSelector: noted; one machine: every pod runs here"));
  EXPECT_THAT(result.notes, Contains(HasSubstr("spec.tolerations: noted")));
}

TEST(Manifest, notes_kinds_that_have_no_effect_here) {
  const auto result =
      read("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n");
  EXPECT_THAT(result.notes,
              testing::ElementsAre("Service web: noted; objects of kind Service (v1) are not acted on here"));
}

TEST(Manifest, refuses_fields_that_it_does_not_know) {
  EXPECT_THAT(error_of(pod("    colour: blue\n")),
              HasSubstr("app.yaml:9:5: Pod web: spec.containers[0].colour: there is no such field"));
  EXPECT_THAT(error_of(pod("", "  readonlyRootFilesystem: true\n")), HasSubstr("app.yaml:6:3: "));
  EXPECT_THAT(error_of(pod("    securityContext: {runAsuser: 1000}\n")),
              HasSubstr("securityContext.runAsuser: there is no such field"));
  EXPECT_THAT(error_of("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nDATA: {}\n"),
              HasSubstr("app.yaml:4:1: ConfigMap a: DATA: there is no such field"));
}

// Each restricts a pod, and is not supported: never noted.
TEST(Manifest, refuses_what_restricts_and_is_not_supported) {
  for (const char* field : {
           "resources: {limits: {memory: 1Gi}}",
           "schedulingGates: [{name: a}]",
           "readinessGates: [{conditionType: a}]",
           "resourceClaims: [{name: a}]",
           "os: {name: windows}",
           "securityContext: {seLinuxOptions: {level: s0}}",
           "securityContext: {supplementalGroupsPolicy: Strict}",
           "securityContext: {windowsOptions: {hostProcess: true}}",
           "securityContext: {fsGroupChangePolicy: Never}",
           "securityContext: {seccompProfile: {type: Own}}",
           "securityContext: {seccompProfile: {type: Localhost, localhostProfile: ../x}}",
           "volumes: [{name: a, emptyDir: {sizeLimit: 1Mi}}]",
           "volumes: [{name: a, emptyDir: {medium: HugePages}}]",
           "volumes: [{name: a, hostPath: {path: /a/../b}}]",
           "volumes: [{name: a, hostPath: {path: /a, type: Thing}}]",
           "volumes: [{name: a, csi: {driver: d}}]",
           "volumes: [{name: a, persistentVolumeClaim: {claimName: ../a}}]",
           "volumes: [{name: ../a, emptyDir: {}}]",
           "volumes: [{name: a, emptyDir: {}, hostPath: {path: /}}]",
           "hostPID: true\n  hostUsers: false",
       }) {
    const std::string error = error_of(pod("", std::string("  ") + field + "\n"));
    EXPECT_THAT(error, testing::StartsWith("app.yaml:")) << field;
  }
  for (const char* field : {
           "resources: {limits: {ephemeral-storage: 1Gi}}",
           "resources: {limits: {nvidia.com/gpu: 1}}",
           "resources: {claims: [{name: a}]}",
           "restartPolicy: Always",
           "volumeDevices: [{name: a, devicePath: /dev/a}]",
           "securityContext: {procMount: Unmasked}",
           "securityContext: {capabilities: {drop: [CAP_NET_RAW]}}",
           "securityContext: {capabilities: {drop: [net_raw]}}",
           "securityContext: {capabilities: {drop: ['NET_RAW MKNOD']}}",
           "securityContext: {seLinuxOptions: {type: t}}",
           "securityContext: {privileged: true, allowPrivilegeEscalation: false}",
           "securityContext: {appArmorProfile: {type: Localhost}}",
           "volumeMounts: [{name: v, mountPath: /a, recursiveReadOnly: Enabled, readOnly: true}]",
           "volumeMounts: [{name: v, mountPath: /a, mountPropagation: Bidirectional}]",
           "volumeMounts: [{name: v, mountPath: /a, subPath: ../x}]",
           "volumeMounts: [{name: v, mountPath: /a, subPath: /x}]",
           "volumeMounts: [{name: v, mountPath: /a, subPathExpr: a/../$(B)}]",
           "volumeMounts: [{name: v, mountPath: /a, subPath: x, subPathExpr: y}]",
           "livenessProbe: {httpGet: {port: 8080/@elsewhere}}",
           "livenessProbe: {httpGet: {port: 80, host: a@b}}",
       }) {
    const std::string error =
        error_of(pod(std::string("    ") + field + "\n", "  volumes: [{name: v, emptyDir: {}}]\n"));
    EXPECT_THAT(error, testing::StartsWith("app.yaml:")) << field;
  }
}

TEST(Manifest, takes_fields_that_restrict_nothing_as_they_are) {
  const auto result = read(
      pod("    securityContext: {procMount: Default, windowsOptions: {}}\n",
          "  schedulingGates: []\n  setHostnameAsFQDN: false\n  os: {name: linux}\n"
          "  securityContext: {supplementalGroupsPolicy: Merge, fsGroupChangePolicy: OnRootMismatch}\n"));
  EXPECT_THAT(result.notes, IsEmpty());
}

TEST(Manifest, honours_what_comes_by_a_merge_key) {
  const auto result = read(
      "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n"
      "  - name: one\n    image: img\n    securityContext: &safe {runAsUser: 1000, readOnlyRootFilesystem: "
      "true}\n"
      "  - name: two\n    image: img\n    securityContext: {<<: *safe, runAsUser: 1001}\n"
      "  - name: three\n    image: img\n    securityContext:\n      <<: [*safe]\n");
  const auto& containers = std::get<Pod>(result.manifests.at(0).object.body).spec.containers;
  EXPECT_EQ(containers[1].security.run_as_user, 1001);
  EXPECT_EQ(containers[2].security.run_as_user, 1000);
  EXPECT_TRUE(containers[1].security.read_only_root && containers[2].security.read_only_root);
  EXPECT_THAT(result.notes, IsEmpty());
  EXPECT_EQ(result.manifests[0].json["spec"]["containers"][1]["securityContext"]["readOnlyRootFilesystem"],
            true);
}

TEST(Manifest, refuses_names_that_could_be_paths) {
  for (const char* metadata :
       {"{name: ../x}", "{name: .}", "{name: a..b}", "{name: a/b}", "{name: a, namespace: ../x}",
        "{name: a, namespace: a.b}", "{name: a, namespace: /tmp}"})
    EXPECT_THAT(error_of(std::string("apiVersion: v1\nkind: ConfigMap\nmetadata: ") + metadata + "\n"),
                testing::StartsWith("app.yaml:3:"))
        << metadata;
  EXPECT_THAT(error_of("apiVersion: v1\nkind: ../Pod\nmetadata: {name: a}\n"),
              testing::StartsWith("app.yaml:2:7: "));
  for (const char* kind : {"apps/v1\nkind: Deployment", "v1\nkind: Pod"})
    EXPECT_THAT(
        error_of(std::string("apiVersion: ") + kind + "\nmetadata: {name: " + std::string(200, 'a') + "}\n"),
        HasSubstr("is too long to name files after it"));
  for (const char* key : {"../../x", "/tmp/x", "..", ".", "a/b", "..data"}) {
    EXPECT_THAT(error_of(std::string("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  ") +
                         key + ": x\n"),
                testing::StartsWith("app.yaml:5:3: ConfigMap a: data: "))
        << key;
    EXPECT_THAT(error_of(std::string("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  ") +
                         key + ": x\n"),
                testing::StartsWith("app.yaml:5:3: "))
        << key;
    EXPECT_THAT(error_of(pod("", std::string("  volumes: [{name: a, configMap: {name: m, items: [{key: ") +
                                     key + ", path: x}]}}]\n")),
                testing::StartsWith("app.yaml:"))
        << key;
  }
  for (const char* path : {"../x", "/tmp/x", "..", "a/../b", "..data/x"})
    EXPECT_THAT(error_of(pod(
                    "", std::string("  volumes: [{name: a, secret: {secretName: m, items: [{key: k, path: ") +
                            path + "}]}}]\n")),
                HasSubstr("must be a path inside the volume"))
        << path;
}

TEST(Manifest, refuses_objects_that_restrict_others_unless_told_to_leave_them_out) {
  const std::string policy =
      "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec: {podSelector: {}}\n";
  EXPECT_THAT(error_of(policy), testing::AllOf(HasSubstr("app.yaml:2:7: NetworkPolicy a: "),
                                               HasSubstr("--ignore-kind NetworkPolicy")));
  for (const char* kind : {"ResourceQuota", "LimitRange", "ValidatingAdmissionPolicy", "CiliumNetworkPolicy"})
    EXPECT_THAT(error_of(std::string("apiVersion: x/v1\nkind: ") + kind + "\nmetadata: {name: a}\n"),
                HasSubstr("refused; "))
        << kind;
  std::vector<std::string> notes;
  EXPECT_TRUE(read_manifests(policy, "a", {"default", {"NetworkPolicy"}}, notes).empty());
  EXPECT_THAT(notes, testing::ElementsAre("NetworkPolicy a: left out, as --ignore-kind says"));
}

TEST(Manifest, refuses_workloads_that_would_run_although_they_must_not) {
  const std::string job =
      "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec:\n  template: {spec: {restartPolicy: "
      "Never, "
      "containers: [{name: c, image: i}]}}\n";
  EXPECT_EQ(error_of(job + "  suspend: false\n"), "no error");
  EXPECT_THAT(error_of(job + "  suspend: true\n"), HasSubstr("app.yaml:6:3: Job a: spec.suspend: refused"));
  EXPECT_THAT(error_of(job + "  podFailurePolicy: {rules: [{action: FailJob}]}\n"), HasSubstr("refused"));
  EXPECT_THAT(error_of(job + "  completionMode: Indexed\n"), HasSubstr("refused"));
}

TEST(Manifest, names_objects_even_if_they_could_not_run) {
  const auto keys = read_keys(pod("    colour: blue\n"), "app.yaml", "shop");
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(to_string(keys[0]), "Pod shop/web");
}

TEST(Manifest, keeps_strings_that_look_like_numbers_through_storing) {
  const auto result = read(pod("    env: [{name: A, value: \"20\"}, {name: B, value: \"true\"}]\n"));
  const Object again = read_object(result.manifests[0].json, "stored");
  EXPECT_EQ(std::get<Pod>(again.body).spec.containers[0].env[1].value, "true");
}

TEST(Manifest, gives_the_default_namespace_to_objects_without_one) {
  std::vector<std::string> notes;
  EXPECT_EQ(read_manifests(pod(""), "a", {"shop", {}}, notes)[0].object.metadata.namespace_, "shop");
  EXPECT_EQ(
      read_manifests("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}", "a", {"shop", {}}, notes)[0]
          .object.metadata.namespace_,
      "");
}

TEST(Manifest, reads_secrets_from_base64_and_plain_text) {
  const auto result = read(
      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: aGVsbG8=}\nstringData: {b: plain}\n");
  const auto& data = std::get<KeyedData>(result.manifests[0].object.body).data;
  EXPECT_EQ(data.at("a"), "hello");
  EXPECT_EQ(data.at("b"), "plain");
}

// The guide's own files, which are a contract: read without an error, and with nothing dropped in silence.
class GuideFiles : public testing::Test {
 protected:
  Read read_file_of_deploy(const std::string& name) {
    Read result;
    const fs::path path = fs::path(FLOX_SOURCE_DIR) / "deploy/base" / name;
    result.manifests = read_manifests(read_file(path), name, {}, result.notes);
    return result;
  }
};

TEST_F(GuideFiles, the_deployment_is_understood_in_every_field) {
  const auto result = read_file_of_deploy("ticket-processor-deployment.yaml");
  const auto& deployment = std::get<Deployment>(result.manifests.at(0).object.body);
  const PodSpec& spec = deployment.pod_template.spec;
  EXPECT_EQ(deployment.replicas, 3);
  EXPECT_EQ(spec.runtime_class, "flox");
  EXPECT_EQ(spec.init_containers.at(0).command.size(), 3u);
  EXPECT_EQ(spec.containers.at(0).command,
            (std::vector<std::string>{"flox", "activate", "--", "ticket-processor"}));
  EXPECT_EQ(spec.containers.at(0).resources.memory_limit, 4LL << 30);
  EXPECT_EQ(spec.containers.at(0).resources.cpu_request, 1000);
  EXPECT_EQ(spec.containers.at(0).liveness->initial_delay, seconds(30));
  EXPECT_EQ(spec.fs_group, 1000);
  EXPECT_THAT(result.notes, testing::ElementsAre(HasSubstr("serviceAccountName: noted; no API server here")));
}

TEST_F(GuideFiles, all_others_are_understood_too) {
  EXPECT_EQ(
      std::get<RuntimeClass>(read_file_of_deploy("runtime-class.yaml").manifests.at(0).object.body).handler,
      "flox");
  EXPECT_THAT(
      read_file_of_deploy("hpa.yaml").notes,
      testing::ElementsAre(
          "HorizontalPodAutoscaler ticket-processor-hpa: noted; no autoscaling on one machine, use `scale`"));
  EXPECT_THAT(read_file_of_deploy("service-account.yaml").notes,
              Contains(HasSubstr("eks.amazonaws.com/role-arn: noted; no IAM here")));
  EXPECT_EQ(
      std::get<PersistentVolumeClaim>(read_file_of_deploy("model-cache-pvc.yaml").manifests.at(0).object.body)
          .requested,
      1LL << 30);
  EXPECT_EQ(std::get<Job>(read_file_of_deploy("model-preloader-job.yaml").manifests.at(0).object.body)
                .pod_template.spec.restart_policy,
            RestartPolicy::never);
  EXPECT_THAT(read_file_of_deploy("ticket-processor-config.yaml").notes, IsEmpty());
}

}  // namespace
}  // namespace flox::kube
