#include "kube/controllers/reconcile.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "kube/reading/manifest.h"

namespace flox::kube {
namespace {

using nlohmann::json;

// A small world: plans are carried out at once, and pods are as ready as the test says.
class ReconcileTest : public testing::Test {
 protected:
  Workload deployment(int replicas, const std::string& version, json strategy = json::object()) {
    return workload(
        {{"apiVersion", "apps/v1"},
         {"kind", "Deployment"},
         {"metadata", {{"name", "web"}, {"namespace", "shop"}}},
         {"spec",
          {{"replicas", replicas},
           {"strategy", strategy},
           {"selector", {{"matchLabels", {{"app", "web"}}}}},
           {"template",
            {{"metadata", {{"labels", {{"app", "web"}}}}}, {"spec", pod_spec(version, "Always")}}}}}});
  }
  Workload job(json fields = json::object()) {
    fields["template"] = {{"spec", pod_spec("1", "Never")}};
    return workload({{"apiVersion", "batch/v1"},
                     {"kind", "Job"},
                     {"metadata", {{"name", "once"}, {"namespace", "shop"}}},
                     {"spec", fields}});
  }
  static json pod_spec(const std::string& version, const std::string& policy) {
    return {{"restartPolicy", policy},
            {"containers", {{{"name", "c"}, {"image", "i"}, {"args", {version}}}}}};
  }
  static Workload workload(const json& document) {
    Workload workload;
    workload.document = document;
    workload.object = read_object(document, "test");
    workload.key = workload.object.key();
    workload.created_at = 1000;
    return workload;
  }

  Plan round(const std::vector<Workload>& workloads) {
    Plan plan = make_plan(workloads, pods, now++);
    for (const auto& record : plan.create) {
      RunningPod pod{record, {}};
      pod.status.uid = record.uid;
      pod.status.phase = "Running";
      pod.status.containers.resize(1);
      pods.push_back(pod);
    }
    for (const auto& uid : plan.remove)
      std::erase_if(pods, [&](const auto& pod) { return pod.record.uid == uid; });
    return plan;
  }
  void make_all_ready() {
    for (auto& pod : pods) pod.status.containers[0].ready = true;
  }
  long ready() const {
    return std::count_if(pods.begin(), pods.end(), [](const auto& pod) { return pod.status.ready(); });
  }

  std::vector<RunningPod> pods;
  UnixTime now = 1000;
};

TEST_F(ReconcileTest, makes_as_many_pods_as_wanted_and_names_them_like_kubernetes) {
  const Plan plan = round({deployment(3, "1")});
  ASSERT_EQ(plan.create.size(), 3u);
  EXPECT_THAT(plan.create[0].name(), testing::MatchesRegex("web-[a-z0-9]{10}-[a-z0-9]{5}"));
  EXPECT_EQ(plan.create[0].object.metadata.labels.at("pod-template-hash"), plan.create[0].template_hash);
  EXPECT_FALSE(plan.workloads[0].complete);
  make_all_ready();
  EXPECT_TRUE(round({deployment(3, "1")}).workloads[0].complete);
}

TEST_F(ReconcileTest, rolls_over_one_at_a_time_without_ever_having_fewer_ready_pods) {
  round({deployment(3, "1")});
  make_all_ready();
  int rounds = 0;
  Plan plan;
  do {
    plan = round({deployment(3, "2")});
    EXPECT_GE(ready(), 3);
    EXPECT_LE(pods.size(), 4u);
    make_all_ready();
  } while (!plan.workloads[0].complete && ++rounds < 50);
  EXPECT_LT(rounds, 50);
  for (const auto& pod : pods) EXPECT_EQ(pod.record.spec().containers[0].args[0], "2");
}

TEST_F(ReconcileTest, stops_rolling_over_when_new_pods_do_not_become_ready) {
  round({deployment(3, "1")});
  make_all_ready();
  for (int i = 0; i < 10; ++i) round({deployment(3, "bad")});
  EXPECT_EQ(ready(), 3);
  EXPECT_EQ(pods.size(), 4u);
}

TEST_F(ReconcileTest, recreate_waits_until_the_old_pods_are_gone) {
  round({deployment(2, "1")});
  make_all_ready();
  const json recreate = {{"type", "Recreate"}};
  for (auto& pod : pods) pod.status.terminating = true;
  EXPECT_TRUE(round({deployment(2, "2", recreate)}).create.empty());
  pods.clear();
  EXPECT_EQ(round({deployment(2, "2", recreate)}).create.size(), 2u);
}

TEST_F(ReconcileTest, scaling_down_gives_up_pods_that_are_not_ready_first) {
  round({deployment(3, "1")});
  make_all_ready();
  pods[1].status.containers[0].ready = false;
  const std::string victim = pods[1].record.uid;
  EXPECT_THAT(round({deployment(2, "1")}).remove, testing::ElementsAre(victim));
}

TEST_F(ReconcileTest, replaces_a_pod_that_has_gone) {
  round({deployment(2, "1")});
  pods.pop_back();
  EXPECT_EQ(round({deployment(2, "1")}).create.size(), 1u);
}

TEST_F(ReconcileTest, a_job_tries_again_after_a_wait_until_its_limit) {
  round({job({{"backoffLimit", 1}})});
  ASSERT_EQ(pods.size(), 1u);
  pods[0].status.phase = "Failed";
  pods[0].status.containers[0].finished_at = now;
  EXPECT_TRUE(round({job({{"backoffLimit", 1}})}).create.empty());
  now += 10;
  EXPECT_EQ(round({job({{"backoffLimit", 1}})}).create.size(), 1u);
  pods[1].status.phase = "Failed";
  const Plan plan = round({job({{"backoffLimit", 1}})});
  EXPECT_TRUE(plan.workloads[0].failed);
  EXPECT_TRUE(plan.create.empty());
}

TEST_F(ReconcileTest, a_job_runs_as_often_as_wanted_and_keeps_its_pods) {
  const json fields = {{"completions", 3}, {"parallelism", 2}};
  EXPECT_EQ(round({job(fields)}).create.size(), 2u);
  for (auto& pod : pods) pod.status.phase = "Succeeded";
  EXPECT_EQ(round({job(fields)}).create.size(), 1u);
  for (auto& pod : pods) pod.status.phase = "Succeeded";
  const Plan plan = round({job(fields)});
  EXPECT_TRUE(plan.workloads[0].complete);
  EXPECT_EQ(pods.size(), 3u);
}

TEST_F(ReconcileTest, pods_of_what_is_not_wanted_any_more_are_removed) {
  round({deployment(2, "1"), job()});
  EXPECT_EQ(round({}).remove.size(), 3u);
  EXPECT_TRUE(pods.empty());
}

TEST(TemplateHash, is_the_same_for_the_same_template_and_another_for_another) {
  const json a = {{"spec", {{"x", 1}}}}, b = {{"spec", {{"x", 2}}}};
  EXPECT_EQ(template_hash(a), template_hash(json::parse(a.dump())));
  EXPECT_NE(template_hash(a), template_hash(b));
  EXPECT_EQ(template_hash(a).size(), 10u);
}

TEST(StoredObject, variables_replace_add_and_remove) {
  StoredObject object;
  object.document = {
      {"kind", "Pod"},
      {"spec",
       {{"containers",
         {{{"name", "c"}, {"env", {{{"name", "A"}, {"value", "1"}}, {{"name", "B"}, {"value", "2"}}}}}}}}}};
  object.play_env = {{"A", "play"}, {"C", "play"}};
  object.set_env = {{"C", "set"}, {"B", std::nullopt}};
  const json environment = object.effective()["spec"]["containers"][0]["env"];
  EXPECT_EQ(environment.dump(), R"([{"name":"A","value":"play"},{"name":"C","value":"set"}])");
}

}  // namespace
}  // namespace flox::kube
