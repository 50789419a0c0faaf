#include "kube/pods/pod_life.h"

#include <gmock/gmock.h>

#include "kube/pods/container_life.h"
#include "kube/pods/probe.h"
#include "testing/transitions.h"

namespace flox::kube {
namespace {

TEST(PodLifeTest, a_pod_goes_from_state_to_state_as_the_header_draws) {
  using enum PodLife;
  constexpr PodLife lives[] = {pending, running, succeeded, failed, terminating, gone};
  constexpr PodEvent events[] = {PodEvent::container_ran, PodEvent::succeeded, PodEvent::failed,
                                 PodEvent::end_asked, PodEvent::removed};
  constexpr auto never = std::optional<PodLife>();
  const std::optional<PodLife> expected[6][5] = {
      // container ran, succeeded, failed, end asked, removed
      {running, succeeded, failed, terminating, never},  // pending
      {running, succeeded, failed, terminating, never},  // running
      {never, never, never, terminating, never},         // succeeded
      {never, never, never, terminating, never},         // failed
      {never, never, never, never, gone},                // terminating
      {never, never, never, never, never},               // gone
  };
  expect_life(pod_life, lives, events, expected);
}

TEST(PodLifeTest, a_pod_that_is_taken_down_keeps_its_phase) {
  for (const auto& [life, phase] :
       {std::pair(PodLife::pending, "Pending"), std::pair(PodLife::running, "Running"),
        std::pair(PodLife::succeeded, "Succeeded"), std::pair(PodLife::failed, "Failed")}) {
    PodStatus status;
    show(life, status);
    EXPECT_EQ(status.phase, phase);
    EXPECT_FALSE(status.terminating);
    for (const PodLife end : {PodLife::terminating, PodLife::gone}) {
      show(end, status);
      EXPECT_EQ(status.phase, phase);
      EXPECT_TRUE(status.terminating);
    }
  }
}

TEST(ContainerLifeTest, a_container_goes_from_state_to_state_as_the_header_draws) {
  using enum ContainerLife;
  constexpr ContainerLife lives[] = {waiting, start_failed, running, crashed, ended};
  constexpr ContainerEvent events[] = {ContainerEvent::started, ContainerEvent::start_failed,
                                       ContainerEvent::crashed, ContainerEvent::ended, ContainerEvent::lost};
  constexpr auto never = std::optional<ContainerLife>();
  const std::optional<ContainerLife> expected[5][5] = {
      // started, start failed, crashed, ended, lost
      {running, start_failed, crashed, ended, waiting},            // waiting
      {running, start_failed, start_failed, ended, start_failed},  // start failed
      {running, never, crashed, ended, waiting},                   // running
      {running, start_failed, crashed, never, waiting},            // crashed
      {never, never, never, ended, waiting},                       // ended
  };
  expect_life(container_life, lives, events, expected);
}

TEST(ContainerLifeTest, kubernetes_knows_a_container_as_waiting_running_or_terminated) {
  EXPECT_EQ(run_state_of(ContainerLife::waiting), RunState::waiting);
  EXPECT_EQ(run_state_of(ContainerLife::start_failed), RunState::waiting);
  EXPECT_EQ(run_state_of(ContainerLife::crashed), RunState::waiting);
  EXPECT_EQ(run_state_of(ContainerLife::running), RunState::running);
  EXPECT_EQ(run_state_of(ContainerLife::ended), RunState::terminated);
}

TEST(ProbedLifeTest, probes_find_a_container_from_state_to_state_as_the_header_draws) {
  using enum ProbedLife;
  constexpr ProbedLife lives[] = {starting, started, restart_wanted};
  constexpr ProbeEvent events[] = {ProbeEvent::startup_succeeded, ProbeEvent::startup_failed,
                                   ProbeEvent::liveness_failed};
  constexpr auto never = std::optional<ProbedLife>();
  const std::optional<ProbedLife> expected[3][3] = {
      // startup succeeded, startup failed, liveness failed
      {started, restart_wanted, never},  // starting
      {never, never, restart_wanted},    // started
      {never, never, restart_wanted},    // restart wanted
  };
  expect_life(probed_life, lives, events, expected);
}

}  // namespace
}  // namespace flox::kube
