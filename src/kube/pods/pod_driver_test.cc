#include "kube/pods/pod_driver.h"

#include <gmock/gmock.h>

#include "base/os/file.h"
#include "kube/reading/manifest.h"
#include "kube/testing/fake_cri.h"

namespace flox::kube {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

class PodDriverTest : public testing::Test {
 protected:
  PodDriver& play(const json& spec) {
    PodRecord record;
    record.uid = "uid1";
    record.created_at = 1;
    record.document = {{"apiVersion", "v1"},
                       {"kind", "Pod"},
                       {"metadata", {{"name", "web"}, {"namespace", "shop"}}},
                       {"spec", spec}};
    record.object = read_object(record.document, "test");
    driver = std::make_unique<PodDriver>(std::move(record), world, [] {});
    return *driver;
  }
  PodStatus step(int times = 1) {
    for (int i = 0; i < times; ++i) driver->step();
    return driver->status();
  }
  int64_t seconds_now() const {
    return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  }
  void add(const Object& object) {
    auto objects = index->all();
    objects[object.key()] = object;
    index = std::make_shared<const ObjectIndex>(std::move(objects));
  }

  static json container(const std::string& name) { return {{"name", name}, {"image", "img"}}; }

  TempDir dir;
  StateDir state{dir.path() / "state"};
  FakeCri cri;
  std::chrono::system_clock::time_point now{1000000s};
  ObjectIndexPtr index = std::make_shared<const ObjectIndex>();
  PodWorld world{cri, state, "/test", "node", [this] { return index; }, [this] { return now; }, [] {}};
  std::unique_ptr<PodDriver> driver;
};

TEST_F(PodDriverTest, runs_init_containers_one_after_the_other_and_then_the_containers) {
  play({{"initContainers", {container("one"), container("two")}},
        {"containers", {container("a"), container("b")}}});
  EXPECT_EQ(status_word(step()), "Init:0/2");
  EXPECT_FALSE(cri.has("two"));
  cri.end("one", 0, seconds_now());
  EXPECT_EQ(status_word(step()), "Init:1/2");
  cri.end("two", 0, seconds_now());
  const PodStatus status = step(2);
  EXPECT_TRUE(status.ready());
  EXPECT_EQ(status_word(status), "Running");
  EXPECT_EQ(status.ip, "10.0.0.5");
  EXPECT_THAT(cri.calls, ElementsAre("sandbox", "start one", "start two", "start a", "start b"));
}

TEST_F(PodDriverTest, starts_an_ended_container_at_once_and_then_after_longer_and_longer_waits) {
  play({{"containers", {container("a")}}});
  step(2);
  cri.end("a", 1, seconds_now());
  EXPECT_EQ(step(2).containers[0].restarts, 1) << "the first time at once";
  cri.end("a", 1, seconds_now());
  PodStatus status = step();
  EXPECT_EQ(status_word(status), "CrashLoopBackOff");
  EXPECT_EQ(status.containers[0].last_exit_code, 1);
  now += 9s;
  EXPECT_EQ(step().containers[0].restarts, 1);
  now += 2s;
  EXPECT_EQ(step(2).containers[0].restarts, 2);
  cri.end("a", 1, seconds_now());
  now += 19s;
  EXPECT_EQ(status_word(step()), "CrashLoopBackOff");
  now += 2s;
  EXPECT_EQ(step(2).containers[0].restarts, 3);
  EXPECT_EQ(cri.containers.size(), 1u) << "ended containers are removed";
}

TEST_F(PodDriverTest, ends_as_succeeded_when_nothing_is_to_be_restarted) {
  play({{"restartPolicy", "OnFailure"}, {"containers", {container("a")}}});
  step(2);
  cri.end("a", 3, seconds_now());
  step(2);
  EXPECT_EQ(cri.newest("a").info.attempt, 1u);
  cri.end("a", 0, seconds_now());
  const PodStatus status = step(2);
  EXPECT_EQ(status.phase, "Succeeded");
  EXPECT_EQ(status_word(status), "Completed");
  EXPECT_FALSE(cri.sandboxes.begin()->second.ready) << "its address is free again";
}

TEST_F(PodDriverTest, a_failed_init_container_fails_a_pod_that_never_restarts) {
  play(
      {{"restartPolicy", "Never"}, {"initContainers", {container("one")}}, {"containers", {container("a")}}});
  step();
  cri.end("one", 2, seconds_now());
  const PodStatus status = step(2);
  EXPECT_EQ(status.phase, "Failed");
  EXPECT_EQ(status_word(status), "Init:Error");
  EXPECT_FALSE(cri.has("a"));
}

TEST_F(PodDriverTest, does_not_run_a_finished_pod_again_after_a_restart_of_the_supervisor) {
  const json spec = {{"restartPolicy", "Never"}, {"containers", {container("a")}}};
  play(spec);
  step(2);
  cri.end("a", 0, seconds_now());
  step(2);
  play(spec);
  EXPECT_EQ(step().phase, "Succeeded");
  EXPECT_EQ(cri.sandboxes.size(), 1u);
}

TEST_F(PodDriverTest, goes_on_with_a_running_pod_after_a_restart_of_the_supervisor) {
  play({{"containers", {container("a")}}});
  step(2);
  const auto calls = cri.calls;
  play({{"containers", {container("a")}}});
  EXPECT_TRUE(step().ready());
  EXPECT_EQ(cri.calls, calls);
}

TEST_F(PodDriverTest, shows_what_the_runtime_says_when_a_container_cannot_be_started) {
  cri.start_error = "failed to create shim task: environment shop/web: no such environment";
  play({{"containers", {container("a")}}});
  PodStatus status = step();
  EXPECT_EQ(status_word(status), "RunContainerError");
  EXPECT_THAT(trouble(status), HasSubstr("no such environment"));
  step(3);
  EXPECT_EQ(status_word(driver->status()), "RunContainerError");
  cri.start_error.clear();
  now += 11s;
  EXPECT_TRUE(step(2).ready());
}

TEST_F(PodDriverTest, waits_for_its_runtime_class_and_says_so_in_kubernetes_words) {
  play({{"runtimeClassName", "flox"}, {"containers", {container("a")}}});
  PodStatus status = step();
  EXPECT_EQ(status_word(status), "FailedCreate");
  EXPECT_EQ(trouble(status), "runtimeclass.node.k8s.io \"flox\" not found");
  EXPECT_TRUE(status.permanent);
  Object object{"RuntimeClass", "node.k8s.io/v1", {"flox", "", {}, {}}, RuntimeClass{"handler1"}};
  add(object);
  EXPECT_TRUE(step(2).ready());
  EXPECT_EQ(cri.last_handler, "handler1");
}

TEST_F(PodDriverTest, says_that_an_image_is_not_there_and_pulls_nothing) {
  json other = container("a");
  other["image"] = "elsewhere/app:1";
  play({{"containers", {other}}});
  const PodStatus status = step();
  EXPECT_EQ(status_word(status), "ErrImageNeverPull");
  EXPECT_THAT(trouble(status), HasSubstr("images are never pulled here"));
}

TEST_F(PodDriverTest, names_a_missing_claim_and_a_missing_config_map) {
  json a = container("a");
  a["volumeMounts"] = {{{"name", "data"}, {"mountPath", "/data"}}};
  play({{"containers", {a}},
        {"volumes", {{{"name", "data"}, {"persistentVolumeClaim", {{"claimName", "gone"}}}}}}});
  EXPECT_THAT(trouble(step()), HasSubstr("persistentvolumeclaim \"gone\" not found"));
  json b = container("b");
  b["envFrom"] = {{{"configMapRef", {{"name", "settings"}}}}};
  cri.sandboxes.clear();
  play({{"containers", {b}}});
  const PodStatus status = step();
  EXPECT_EQ(status_word(status), "CreateContainerConfigError");
  EXPECT_THAT(trouble(status), HasSubstr("configmap \"settings\" not found"));
}

TEST_F(PodDriverTest, makes_a_new_sandbox_when_the_old_one_has_died) {
  play({{"initContainers", {container("one")}}, {"containers", {container("a")}}});
  step();
  cri.end("one", 0, seconds_now());
  step(2);
  cri.sandboxes.begin()->second.ready = false;
  step();
  EXPECT_EQ(cri.sandboxes.size(), 1u);
  EXPECT_EQ(cri.sandboxes.begin()->second.attempt, 1u);
  EXPECT_TRUE(cri.has("one")) << "init containers run again";
}

TEST_F(PodDriverTest, what_is_lost_with_its_sandbox_waits_as_in_the_beginning) {
  play({{"restartPolicy", "OnFailure"},
        {"initContainers", {container("one")}},
        {"containers", {container("a"), container("b")}}});
  step();
  cri.end("one", 0, seconds_now());
  step(2);
  cri.end("a", 0, seconds_now());
  EXPECT_EQ(step().containers[0].state, RunState::terminated);
  cri.sandboxes.begin()->second.ready = false;
  cri.sandbox_error = "no address is free";
  const PodStatus status = step();
  EXPECT_EQ(status_word(status), "Init:0/1");
  EXPECT_EQ(status.phase, "Running");
  for (const auto* list : {&status.init_containers, &status.containers})
    for (const auto& container : *list) {
      EXPECT_EQ(container.state, RunState::waiting) << container.name;
      EXPECT_EQ(container.reason, "PodInitializing") << container.name;
      EXPECT_FALSE(container.ready) << container.name;
    }
  cri.sandbox_error.clear();
  now += 11s;
  step();
  cri.end("one", 0, seconds_now());
  EXPECT_TRUE(step(2).ready());
}

TEST_F(PodDriverTest, says_since_when_a_container_runs_that_was_started_again) {
  play({{"containers", {container("a")}}});
  EXPECT_EQ(step(2).containers[0].started_at, 1);
  cri.end("a", 1, seconds_now());
  step();
  cri.newest("a").info.started_at = 7000000000;
  EXPECT_EQ(step().containers[0].started_at, 7);
}

TEST_F(PodDriverTest, a_pod_with_users_of_its_own_runs_only_where_the_runtime_has_them) {
  const json spec = {{"hostUsers", false}, {"containers", {container("a")}}};
  play(spec);
  PodStatus status = step();
  EXPECT_THAT(trouble(status), HasSubstr("hostUsers: false: the container runtime has no user namespaces"));
  EXPECT_TRUE(status.permanent);
  EXPECT_TRUE(cri.sandboxes.empty());
  cri.user_namespaces = true;
  PodRecord record = driver->record();
  record.user_base = 131072;
  driver = std::make_unique<PodDriver>(std::move(record), world, [] {});
  EXPECT_TRUE(step(2).ready());
  EXPECT_EQ(cri.last_sandbox.user_base, 131072u);
  EXPECT_EQ(cri.newest("a").config.user_base, 131072u);
}

TEST_F(PodDriverTest, a_pod_ends_at_its_deadline) {
  play({{"activeDeadlineSeconds", 60}, {"containers", {container("a")}}});
  now = std::chrono::system_clock::time_point(1s);
  EXPECT_TRUE(step(2).ready());
  now += 59s;
  EXPECT_TRUE(step().ready());
  now += 2s;
  const PodStatus status = step();
  EXPECT_EQ(status.phase, "Failed");
  EXPECT_EQ(status.reason, "DeadlineExceeded");
  EXPECT_EQ(cri.newest("a").info.state, ContainerState::exited);
}

TEST_F(PodDriverTest, leaves_nothing_when_it_is_taken_down) {
  play({{"containers", {container("a"), container("b")}},
        {"volumes", {{{"name", "work"}, {"emptyDir", json::object()}}}}});
  step(2);
  EXPECT_TRUE(fs::exists(state.pod_dir("uid1") / "volumes/work"));
  driver->request_end();
  EXPECT_EQ(status_word(step()), "Terminating");
  EXPECT_TRUE(driver->gone());
  EXPECT_TRUE(cri.containers.empty() && cri.sandboxes.empty());
  EXPECT_FALSE(fs::exists(state.pod_dir("uid1")));
  EXPECT_FALSE(fs::exists(state.log_dir(driver->record())));
}

}  // namespace
}  // namespace flox::kube
