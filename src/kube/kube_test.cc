// The small parts: logs, probes, status words, kustomizations.
#include <gmock/gmock.h>

#include <fstream>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/file.h"
#include "kube/commands/commands.h"
#include "kube/pods/admission.h"
#include "kube/pods/log_reader.h"
#include "kube/pods/pod_security.h"
#include "kube/pods/pod_status.h"
#include "kube/pods/probe.h"
#include "kube/reading/kustomize.h"
#include "kube/reading/manifest.h"

namespace flox::kube {
namespace {

using nlohmann::json;

TEST(LogReader, takes_lines_apart_and_joins_what_was_split) {
  LogLine line;
  bool partial = false;
  ASSERT_TRUE(parse_log_line("2026-01-01T00:00:00.1Z stderr F oh no: a b", line, partial));
  EXPECT_TRUE(line.is_error && !partial);
  EXPECT_EQ(line.text, "oh no: a b\n");
  ASSERT_TRUE(parse_log_line("2026-01-01T00:00:00.1Z stdout P part", line, partial));
  EXPECT_TRUE(partial);
  EXPECT_EQ(line.text, "part");
  ASSERT_TRUE(parse_log_line("2026-01-01T00:00:00.1Z stdout F ", line, partial));
  EXPECT_EQ(line.text, "\n");
  EXPECT_FALSE(parse_log_line("nonsense", line, partial));
}

TEST(LogReader, goes_on_where_it_ended_and_waits_for_the_end_of_a_line) {
  TempDir dir;
  const fs::path path = dir.path() / "0.log";
  LogReader reader(path);
  std::string text;
  auto read = [&] { reader.read([&](const LogLine& line) { text += line.text; }); };
  read();
  std::ofstream(path, std::ios::app) << "T stdout F one\nT stdout F tw";
  read();
  EXPECT_EQ(text, "one\n");
  std::ofstream(path, std::ios::app) << "o\n";
  read();
  EXPECT_EQ(text, "one\ntwo\n");
}

TEST(LogReader, keeps_only_the_beginning_of_a_line_without_end) {
  TempDir dir;
  const fs::path path = dir.path() / "0.log";
  std::ofstream(path) << "T stdout F " << std::string(3 << 20, 'x') << "\nT stdout F after\n";
  std::vector<std::string> lines;
  LogReader(path).read([&](const LogLine& line) { lines.push_back(line.text); });
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_LE(lines[0].size(), 1u << 20);
  EXPECT_EQ(lines[1], "after\n");
}

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

TEST(Describe, sends_nothing_of_a_pod_s_to_the_terminal_that_the_terminal_would_obey) {
  TempDir dir;
  CommonOptions common;
  common.settings.state = dir.path();
  const std::string hostile = "a\x1b]0;b\x07\x1b[2J\xc2\x9b\xff";
  PodStatus pod;
  pod.uid = "u";
  pod.name = "web";
  pod.namespace_ = "default";
  pod.message = pod.reason = hostile;
  pod.annotations = {{"a/b", hostile}};
  ContainerStatus container;
  container.name = "c";
  container.message = container.last_reason = container.last_message = container.reason = hostile;
  pod.containers = pod.init_containers = {container};
  Event event;
  event.message = hostile;
  pod.events = {event};
  const json status = {{"pods", {to_json(pod)}}, {"workloads", json::array()}};
  write_file(StateDir(dir.path()).status_file(), status.dump(1, ' ', false, json::error_handler_t::replace));
  testing::internal::CaptureStdout();
  CLI::App app("flox kube", "flox kube");
  add_describe(app, common);
  add_ps(app, common);
  EXPECT_EQ(run_command_line(app, {"describe", "web"}), 0);
  EXPECT_EQ(run_command_line(app, {"ps"}), 0);
  const std::string shown = testing::internal::GetCapturedStdout();
  EXPECT_THAT(shown, testing::HasSubstr("a/b=a"));
  for (const char* bad : {"\x1b", "\x07", "\xc2\x9b"})
    EXPECT_THAT(shown, testing::Not(testing::HasSubstr(bad)));
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

class Admission : public testing::Test {
 protected:
  static json object(const char* api, const char* kind, const json& rest) {
    json document = {{"apiVersion", api}, {"kind", kind}, {"metadata", {{"name", "a"}}}};
    document.merge_patch(rest);
    return document;
  }
  static json namespace_of(const json& level) {
    return object("v1", "Namespace",
                  {{"metadata", {{"labels", {{"pod-security.kubernetes.io/enforce", level}}}}}});
  }
  // Plays an object where another of its name is known already; the complaint, or nothing.
  static std::string play(const json& known, const json& now) {
    const Object object = read_object(known, "test");
    StoredObject stored;
    stored.key = object.key();
    stored.document = known;
    try {
      check_admission({{stored.key, stored}}, {{read_object(now, "test"), now}});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
};

TEST_F(Admission, no_manifest_lowers_what_a_namespace_enforces) {
  const auto lowered = testing::HasSubstr("the PodSecurity level");
  EXPECT_THAT(play(namespace_of("baseline"), namespace_of("privileged")), lowered);
  EXPECT_THAT(play(namespace_of("baseline"), object("v1", "Namespace", json::object())), lowered);
  EXPECT_THAT(play(namespace_of("restricted"), namespace_of("baseline")), lowered);
  EXPECT_EQ(play(namespace_of("baseline"), namespace_of("baseline")), "");
  EXPECT_EQ(play(namespace_of("baseline"), namespace_of("restricted")), "");
  EXPECT_EQ(play(object("v1", "Namespace", json::object()), namespace_of("baseline")), "");
}

TEST_F(Admission, no_manifest_gives_a_runtime_class_another_handler) {
  const json strong = object("node.k8s.io/v1", "RuntimeClass", {{"handler", "gvisor"}});
  const json weak = object("node.k8s.io/v1", "RuntimeClass", {{"handler", "runc"}});
  EXPECT_THAT(play(strong, weak), testing::HasSubstr("RuntimeClass a has the handler \"gvisor\""));
  EXPECT_EQ(play(strong, strong), "");
}

TEST(Kustomization, reads_nothing_outside_of_its_directory_and_not_itself) {
  TempDir dir;
  fs::create_directories(dir.path() / "k");
  write_file(dir.path() / "outside.yaml", "a: 1\n");
  fs::create_symlink(dir.path() / "outside.yaml", dir.path() / "k/link.yaml");
  for (const std::string text : {"resources: [../outside.yaml]", "resources: [link.yaml]",
                                 "patches: [{path: ../outside.yaml}]", "resources: [.]", "resources: [../k]",
                                 "resources: {a: b}", "resources: [[a]]", "patches: [{patch: [1]}]"}) {
    write_file(dir.path() / "k/kustomization.yaml", text + "\n");
    EXPECT_THROW(read_kustomization(dir.path() / "k"), Error) << text;
  }
}

TEST(ProbeCounter, answers_change_only_after_enough_equal_results) {
  Probe probe;
  probe.failure_threshold = 3;
  probe.success_threshold = 2;
  ProbeCounter counter(probe, false);
  EXPECT_FALSE(counter.take(true));
  EXPECT_TRUE(counter.take(true));
  EXPECT_TRUE(counter.healthy());
  EXPECT_FALSE(counter.take(false));
  EXPECT_FALSE(counter.take(false));
  EXPECT_FALSE(counter.take(true));
  EXPECT_FALSE(counter.take(false));
  EXPECT_FALSE(counter.take(false));
  EXPECT_TRUE(counter.take(false));
  EXPECT_FALSE(counter.healthy());
}

PodStatus pod_with(RunState state, const std::string& reason, bool ready) {
  PodStatus pod;
  pod.phase = "Running";
  pod.containers.resize(1);
  pod.containers[0].state = state;
  pod.containers[0].reason = reason;
  pod.containers[0].ready = ready;
  return pod;
}

TEST(StatusWord, is_what_kubectl_would_show) {
  EXPECT_EQ(status_word(pod_with(RunState::running, "", true)), "Running");
  EXPECT_EQ(status_word(pod_with(RunState::waiting, "CrashLoopBackOff", false)), "CrashLoopBackOff");
  EXPECT_EQ(status_word(pod_with(RunState::terminated, "Completed", false)), "Completed");
  PodStatus pod = pod_with(RunState::waiting, "PodInitializing", false);
  pod.init_containers.resize(2);
  EXPECT_EQ(status_word(pod), "Init:0/2");
  pod.init_containers[0].ready = true;
  pod.init_containers[1].state = RunState::waiting;
  pod.init_containers[1].reason = "CrashLoopBackOff";
  EXPECT_EQ(status_word(pod), "Init:CrashLoopBackOff");
  pod.init_containers[1].ready = true;
  EXPECT_EQ(status_word(pod), "PodInitializing");
  pod.terminating = true;
  EXPECT_EQ(status_word(pod), "Terminating");
}

TEST(Trouble, of_a_container_that_keeps_ending_is_how_it_ended) {
  PodStatus pod = pod_with(RunState::waiting, "CrashLoopBackOff", false);
  pod.containers[0].name = "c";
  pod.containers[0].message = "back-off 10s restarting failed container=c";
  pod.containers[0].last_exit_code = 3;
  EXPECT_EQ(trouble(pod), "container c ended with exit code 3");
  pod.containers[0].last_message = "out of memory";
  EXPECT_EQ(trouble(pod), "container c ended with exit code 3: out of memory");
}

TEST(Trouble, of_a_container_that_cannot_be_made_is_what_the_runtime_says) {
  PodStatus pod = pod_with(RunState::waiting, "CreateContainerError", false);
  pod.containers[0].name = "c";
  pod.containers[0].message = "no such environment";
  EXPECT_EQ(trouble(pod), "container c: no such environment");
  EXPECT_EQ(trouble(pod_with(RunState::running, "", true)), "");
}

TEST(PodStatus, survives_being_written_and_read) {
  PodStatus pod = pod_with(RunState::waiting, "CrashLoopBackOff", false);
  pod.labels = {{"a", "b"}};
  add_event(pod, 5, true, "BackOff", "again");
  add_event(pod, 9, true, "BackOff", "again");
  EXPECT_EQ(pod.events.size(), 1u);
  EXPECT_EQ(pod.events[0].count, 2);
  EXPECT_EQ(to_json(pod_status_from_json(to_json(pod))), to_json(pod));
}

TEST(AgeText, is_as_short_as_kubectls) {
  EXPECT_EQ(age_text(5), "5s");
  EXPECT_EQ(age_text(120), "2m");
  EXPECT_EQ(age_text(150), "2m30s");
  EXPECT_EQ(age_text(3600), "60m");
  EXPECT_EQ(age_text(4 * 86400), "4d");
}

TEST(MergePatch, merges_lists_by_their_key_and_deletes) {
  json object = json::parse(
      R"({"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"},{"name":"Y","value":"2"}],"command":["old","b"]}],"gone":1}})");
  merge_patch(
      object,
      json::parse(
          R"({"spec":{"gone":null,"containers":[{"name":"a","command":["new"],"env":[{"name":"X","$patch":"delete"},{"name":"Z","value":"3"}]}]}})"));
  EXPECT_EQ(
      object,
      json::parse(
          R"({"spec":{"containers":[{"name":"a","env":[{"name":"Y","value":"2"},{"name":"Z","value":"3"}],"command":["new"]}]}})"));
}

TEST(Kustomization, completes_the_guides_fragments) {
  for (const std::string variant : {"avx2", "avx512"}) {
    const auto objects = read_kustomization(fs::path(FLOX_SOURCE_DIR) / "deploy/overlays" / variant);
    const auto found = std::find_if(objects.begin(), objects.end(),
                                    [](const json& object) { return object["kind"] == "Deployment"; });
    ASSERT_NE(found, objects.end());
    EXPECT_EQ((*found)["metadata"]["name"], "ticket-processor-" + variant);
    EXPECT_EQ((*found)["spec"]["replicas"], 3);
    EXPECT_THAT((*found)["spec"]["template"]["spec"]["initContainers"][0]["command"][2].get<std::string>(),
                testing::HasSubstr("flox install ticket-processor-" + variant + "\n"));
  }
}

TEST(Kustomization, says_which_fields_it_does_not_know) {
  TempDir dir;
  write_file(dir.path() / "kustomization.yaml", "resources: []\nnameSuffix: -x\n");
  EXPECT_THROW(read_kustomization(dir.path()), Error);
  EXPECT_THROW(read_kustomization(dir.path() / "nowhere"), Error);
}

}  // namespace
}  // namespace flox::kube
