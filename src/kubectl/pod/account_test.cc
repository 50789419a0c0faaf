#include "kubectl/pod/account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kubectl/pod/fields.h"

namespace flox::kubectl {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using Json = nlohmann::json;
using State = Verdict::State;

constexpr int64_t begin = 1796'000'000'000;  // 2026-11-30T00:53:20Z
constexpr const char* begin_text = "2026-11-30T00:53:20Z";

// A pod of one container, main, with this state.
PodState pod_with(const Json& state, const Json& more = Json::object()) {
  Json status{{"name", "main"}, {"state", state}, {"ready", state.contains("running")}};
  status.update(more);
  return read_pod(
      {{"metadata",
        {{"name", "web"}, {"namespace", "shop"}, {"uid", "u1"}, {"creationTimestamp", begin_text}}},
       {"spec", {{"nodeName", "node-1"}}},
       {"status",
        {{"phase", "Pending"},
         {"conditions", {{{"type", "PodScheduled"}, {"status", "True"}, {"lastTransitionTime", begin_text}}}},
         {"containerStatuses", {status}}}}});
}
PodState creating() { return pod_with({{"waiting", {{"reason", "ContainerCreating"}}}}); }

Json start(const std::string& state) {
  return {{"container", "main"},
          {"pod_uid", "u1"},
          {"environment", "acme/web:8"},
          {"state", state},
          {"asked_at_ms", begin + 1000}};
}
std::vector<StartState> starts(const Json& one) { return read_starts({{"starts", {one}}}); }
std::vector<Event> events(const Json& list) { return read_events({{"items", list}}); }

Verdict verdict(const PodState& pod, const std::vector<Event>& seen,
                const std::optional<std::vector<StartState>>& told) {
  return account_of(pod, seen, told, begin + 61'000).verdict;
}

TEST(AccountTest, SaysHowFarWhatIsFetchedHasCome) {
  Json one = start("running");
  one["stages"] = {
      {{"stage", "prepare"}, {"began_at_ms", begin + 1000}, {"is_over", false}},
      {{"stage", "resolve"}, {"began_at_ms", begin + 1000}, {"microseconds", 5000}, {"is_over", true}},
      {{"stage", "realise"}, {"began_at_ms", begin + 1005}, {"is_over", false}}};
  one.update({{"paths_total", 400},
              {"paths_done", 12},
              {"bytes_total", 900 << 20},
              {"bytes_fetched", 30 << 20},
              {"bytes_per_second", 2 << 20}});
  const Verdict fetching = verdict(creating(), {}, starts(one));
  EXPECT_EQ(fetching.state, State::on_its_way);
  EXPECT_EQ(fetching.text,
            "container main: floxd fetches acme/web:8: 12 of 400 paths, 30.0 MiB of 900.0 MiB, 2.0 MiB/s");
  one["bytes_per_second"] = 0;
  EXPECT_THAT(verdict(creating(), {}, starts(one)).text, HasSubstr("nothing has come in the last seconds"));
}

TEST(AccountTest, NamesThoseForWhomAStartWaits) {
  Json one = start("waiting");
  one["waiting"] = {{"for", "turn"}, {"holders", {"shop/cart/main"}}, {"others", 3}};
  const Verdict waits = verdict(creating(), {}, starts(one));
  EXPECT_EQ(waits.state, State::on_its_way);
  EXPECT_THAT(waits.text, AllOf(HasSubstr("no thread for it for 1 min"),
                                HasSubstr("shop/cart/main and 3 of other namespaces")));
  one["state"] = "running";
  one["waiting"] = {{"for", "same"}, {"holders", {"shop/web-2/main"}}, {"others", 0}};
  EXPECT_THAT(verdict(creating(), {}, starts(one)).text,
              HasSubstr("makes acme/web:8 ready already, for shop/web-2/main"));
}

TEST(AccountTest, SaysThatTheCatalogIsAsked) {
  Json one = start("running");
  one["stages"] = {{{"stage", "resolve"}, {"began_at_ms", begin + 1000}, {"is_over", false}}};
  EXPECT_THAT(verdict(creating(), {}, starts(one)).text,
              HasSubstr("asked the catalog for 1 min what acme/web:8 is"));
}

TEST(AccountTest, AFailedStartIsWhyAndItsAdviceIsWhatToDo) {
  Json one = start("failed");
  one.update({{"error", "environment 'acme/web:9': acme/web has no generation 9"},
              {"advice", "Use one that it has: 8."}});
  const Verdict failed =
      verdict(pod_with({{"waiting", {{"reason", "CreateContainerError"}, {"message", "failed to create"}}}}),
              {}, starts(one));
  EXPECT_EQ(failed.state, State::stuck);
  EXPECT_THAT(failed.text, HasSubstr("has no generation 9; the kubelet tries again"));
  EXPECT_EQ(failed.advice, "Use one that it has: 8.");
  EXPECT_THAT(verdict(creating(), {}, starts(one)).text,
              HasSubstr("has no generation 9; the kubelet tries again"));
}

TEST(AccountTest, WhatFloxdDoesForAnEarlierPodOfTheNameDoesNotCount) {
  Json one = start("failed");
  one["pod_uid"] = "u0";
  const Account account = account_of(creating(), {}, starts(one), begin);
  EXPECT_EQ(account.verdict.state, State::on_its_way);
  EXPECT_THAT(account.entries, testing::Each(Field(&Entry::source, "kubernetes")));
}

TEST(AccountTest, WhereFloxdCannotBeAskedWhatItWaitsForIsUnknown) {
  EXPECT_EQ(verdict(creating(), {}, std::nullopt).state, State::unknown);
  // What Kubernetes says is enough where it says it.
  const auto warned = events({{{"type", "Warning"},
                               {"reason", "FailedMount"},
                               {"message", "no volume"},
                               {"lastTimestamp", begin_text}}});
  const Verdict stuck = verdict(creating(), warned, std::nullopt);
  EXPECT_EQ(stuck.state, State::stuck);
  EXPECT_THAT(stuck.text, HasSubstr("FailedMount: no volume"));
}

TEST(AccountTest, APodWithoutANodeSaysWhyTheSchedulerFindsNone) {
  PodState pod = creating();
  pod.node.clear();
  pod.unschedulable = "0/3 nodes are available";
  const Verdict stuck = verdict(pod, {}, std::vector<StartState>());
  EXPECT_EQ(stuck.state, State::stuck);
  EXPECT_EQ(stuck.text, "has no node: 0/3 nodes are available");
  EXPECT_THAT(stuck.advice, HasSubstr("flox.dev/runtime=installed"));
}

TEST(AccountTest, APodThatRunsHasStarted) {
  const PodState pod = pod_with({{"running", {{"startedAt", "2026-11-30T00:53:23Z"}}}});
  const Verdict started = verdict(pod, {}, std::vector<StartState>());
  EXPECT_EQ(started.state, State::started);
  EXPECT_EQ(started.text, "has started, 3 s after it was made");
}

TEST(AccountTest, AContainerThatIsNotReadyShowsItsProbe) {
  PodState pod = pod_with({{"running", {{"startedAt", "2026-11-30T00:53:23Z"}}}}, {{"ready", false}});
  EXPECT_EQ(verdict(pod, {}, std::nullopt).state, State::on_its_way);
  const auto probed = events({{{"type", "Warning"},
                               {"reason", "Unhealthy"},
                               {"message", "Readiness probe failed: 503"},
                               {"lastTimestamp", begin_text},
                               {"involvedObject", {{"fieldPath", "spec.containers{main}"}}}}});
  EXPECT_EQ(verdict(pod, probed, std::nullopt).text,
            "container main runs and is not ready: Readiness probe failed: 503");
}

TEST(AccountTest, AContainerThatEndsAgainAndAgainHasLogs) {
  const PodState pod = pod_with({{"waiting", {{"reason", "CrashLoopBackOff"}}}},
                                {{"lastState", {{"terminated", {{"exitCode", 3}}}}}});
  const Verdict stuck = verdict(pod, {}, std::vector<StartState>());
  EXPECT_EQ(stuck.state, State::stuck);
  EXPECT_THAT(stuck.text, HasSubstr("exit code 3"));
  EXPECT_EQ(stuck.advice, "Run 'kubectl -n shop logs web -c main --previous'.");
}

TEST(AccountTest, SaysWhetherItStartedBeforeItsFilesWereThere) {
  const auto text_of = [](const char* lazy) {
    Json one = start("prepared");
    one.update({{"ended_at_ms", begin + 1500}, {"profile", "/nix/store/x-web"}, {"lazy", lazy}});
    for (const Entry& entry :
         account_of(pod_with({{"running", Json::object()}}), events({}), starts(one), begin + 9000).entries)
      if (entry.what == "prepared") return entry.text;
    return std::string();
  };
  EXPECT_EQ(text_of(""), "/nix/store/x-web");
  EXPECT_EQ(text_of("lazy"), "/nix/store/x-web; its files come when they are read");
  EXPECT_EQ(text_of("no index"), "/nix/store/x-web; waited for all of its files: no index");
}

TEST(AccountTest, SaysWhenTheFilesOfALazyStartHadCome) {
  Json one = start("prepared");
  one.update({{"ended_at_ms", begin + 1500}, {"lazy", "lazy"}});
  one["lazy_start"] = {{"ready_at_ms", begin + 3000},
                       {"bytes_at_ready", 17'000'000},
                       {"whole_at_ms", 0},
                       {"bytes", 227'000'000}};
  const auto entry_of = [&](std::string_view what) {
    for (const Entry& entry :
         account_of(pod_with({{"running", Json::object()}}), events({}), starts(one), begin + 9000).entries)
      if (entry.what == what) return entry;
    return Entry();
  };
  EXPECT_EQ(entry_of("ready").text, "no read waits any more: 16.2 MiB of 216.5 MiB of its files have come");
  EXPECT_EQ(entry_of("ready").seconds, 2.0);
  EXPECT_EQ(entry_of("whole").what, "");
  one["lazy_start"]["failures"] = {
      {{"path", "/nix/store/x-tool"}, {"why", "no cache has it"}, {"at_ms", begin + 4000}, {"reads", 3}}};
  EXPECT_EQ(entry_of("read").text, "/nix/store/x-tool could not be read: no cache has it");
  EXPECT_TRUE(entry_of("read").has_failed);
  one["lazy_start"]["whole_at_ms"] = begin + 5000;
  EXPECT_EQ(entry_of("whole").seconds, 4.0);
}

TEST(AccountTest, TheTimelineHasBothSidesInTheOrderOfTime) {
  Json one = start("prepared");
  one.update({{"ended_at_ms", begin + 1500}, {"profile", "/nix/store/x-web"}, {"trace_id", "0af7"}});
  one["stages"] = {
      {{"stage", "prepare"}, {"began_at_ms", begin + 1000}, {"microseconds", 500000}, {"is_over", true}},
      {{"stage", "resolve"}, {"began_at_ms", begin + 1001}, {"microseconds", 9000}, {"is_over", true}},
      {{"stage", "activate"}, {"began_at_ms", begin + 1400}, {"microseconds", 90000}, {"is_over", true}}};
  const auto seen = events(
      {{{"reason", "Pulled"}, {"message", "already present"}, {"eventTime", "2026-11-30T00:53:20.500000Z"}}});
  const Account account = account_of(pod_with({{"running", {{"startedAt", "2026-11-30T00:53:22Z"}}}}), seen,
                                     starts(one), begin + 9000);
  std::vector<std::string> order;
  for (const Entry& entry : account.entries) order.push_back(entry.what);
  EXPECT_THAT(order, ElementsAre("created", "scheduled", "Pulled", "asked", "resolve", "activate", "prepared",
                                 "exec"));
  EXPECT_EQ(account.entries[3].text, "acme/web:8, trace 0af7");
  EXPECT_EQ(account.entries[4].seconds, 0.009);
}

TEST(AccountTest, WhatOthersWriteCannotChangeTheTerminal) {
  const auto seen = events({{{"type", "Warning"},
                             {"reason", "Failed"},
                             {"message", "\x1b[2Jgone\n✔ pod shop/web: has started"},
                             {"lastTimestamp", begin_text}}});
  const std::string text = verdict(creating(), seen, std::vector<StartState>()).text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace flox::kubectl
