#include "kube/pods/pod_status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace flox::kube {
namespace {

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

}  // namespace
}  // namespace flox::kube
