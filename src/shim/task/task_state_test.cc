#include "shim/task/task_state.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>

#include "shim/task/task_process.h"
#include "testing/transitions.h"

namespace flox::shim {
namespace {

using enum ProcessState;

constexpr ProcessState process_states[] = {created, running, aborted, exited, stopped, failed, deleted};
constexpr ProcessEvent process_events[] = {ProcessEvent::started, ProcessEvent::launch_failed,
                                           ProcessEvent::exited, ProcessEvent::exit_published,
                                           ProcessEvent::removed};
constexpr PauseState pause_states[] = {PauseState::active, PauseState::pausing, PauseState::paused};
constexpr PauseEvent pause_events[] = {PauseEvent::pause, PauseEvent::paused, PauseEvent::pause_failed,
                                       PauseEvent::resumed};

TEST(TaskStateTest, AProcessGoesFromStateToStateAsTheHeaderDraws) {
  constexpr auto never = std::optional<ProcessState>();
  const std::optional<ProcessState> expected[7][5] = {
      // started, launch failed, exited, exit published, removed
      {running, failed, aborted, never, deleted},  // created
      {never, never, exited, never, never},        // running
      {exited, failed, never, stopped, deleted},   // aborted
      {never, never, never, stopped, deleted},     // exited
      {never, never, never, never, deleted},       // stopped
      {never, never, failed, never, deleted},      // failed
      {never, never, deleted, deleted, never},     // deleted
  };
  expect_life(process_life, process_states, process_events, expected);
}

TEST(TaskStateTest, AContainerIsPausedAndResumedAsTheHeaderDraws) {
  constexpr auto never = std::optional<PauseState>();
  const std::optional<PauseState> expected[3][4] = {
      // pause, paused, pause failed, resumed
      {PauseState::pausing, never, never, never},              // active
      {never, PauseState::paused, PauseState::active, never},  // pausing
      {never, never, never, PauseState::active},               // paused
  };
  expect_life(pause_life, pause_states, pause_events, expected);
}

TEST(TaskStateTest, ClientsAreShownAnEndOnlyWhenItIsTold) {
  const wire::TaskStatus expected[7][3] = {
      // active, pausing, paused
      {wire::CREATED, wire::PAUSING, wire::PAUSED},   // created
      {wire::RUNNING, wire::PAUSING, wire::PAUSED},   // running
      {wire::CREATED, wire::PAUSING, wire::PAUSED},   // aborted
      {wire::RUNNING, wire::PAUSING, wire::PAUSED},   // exited
      {wire::STOPPED, wire::STOPPED, wire::STOPPED},  // stopped
      {wire::CREATED, wire::PAUSING, wire::PAUSED},   // failed
      {wire::STOPPED, wire::STOPPED, wire::STOPPED},  // deleted
  };
  for (size_t process = 0; process < std::size(process_states); ++process)
    for (size_t container = 0; container < std::size(pause_states); ++container)
      EXPECT_EQ(status_of(process_states[process], pause_states[container]), expected[process][container])
          << word(process_states[process]) << ", " << word(pause_states[container]);
}

TEST(TaskStateTest, AProcessHasEndedFromTheMomentOfItsExit) {
  for (const auto state : process_states)
    EXPECT_EQ(has_ended(state), state == aborted || state == exited || state == stopped || state == deleted)
        << word(state);
}

// --- a process of the system

class TaskProcessTest : public testing::Test {
 protected:
  // A child that ends with this code, or sleeps until it is killed.
  static pid_t child(std::optional<int> code) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    if (code) ::_exit(*code);
    for (;;) ::pause();
  }
  static void wait_until_it_has_ended(pid_t pid) {
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
  }
  void run_until_reaped(const std::shared_ptr<Exit>& exit) {
    while (!exit->happened.is_set()) context.run_one();
  }

  asio::io_context context;
  Children children{context.get_executor()};
  Children::ReapingRecord record{children};
  std::shared_ptr<TaskProcess> process = std::make_shared<TaskProcess>(
      "web", Stdio::Owner{context.get_executor(), children, "test", "web"}, StdioPaths{});
};

TEST_F(TaskProcessTest, ItsExitMovesItAndOnlyTheNewsOfItReleasesThoseWhoWait) {
  const pid_t pid = child(std::nullopt);
  process->adopt(children, pid);
  process->happens(ProcessEvent::started);
  EXPECT_EQ(process->state(), running);
  EXPECT_EQ(process->ended(), nullptr);
  ::kill(pid, SIGKILL);
  run_until_reaped(process->exit);
  EXPECT_EQ(process->state(), exited);
  ASSERT_NE(process->ended(), nullptr);
  EXPECT_EQ(process->ended()->status, 137);
  EXPECT_FALSE(process->finished.is_set());
  process->happens(ProcessEvent::exit_published);
  EXPECT_EQ(process->state(), stopped);
  EXPECT_TRUE(process->finished.is_set());
}

TEST_F(TaskProcessTest, AnExitThatCameBeforeTheProcessWasKnownMovesItAtOnce) {
  const pid_t pid = child(3);
  wait_until_it_has_ended(pid);
  process->adopt(children, pid);
  EXPECT_EQ(process->state(), aborted);
  EXPECT_EQ(process->ended()->status, 3);
  process->happens(ProcessEvent::started);
  EXPECT_EQ(process->state(), exited);
}

TEST_F(TaskProcessTest, ALaunchThatFailedLeavesNoProcess) {
  const pid_t pid = child(std::nullopt);
  process->adopt(children, pid);
  const std::shared_ptr<Exit> exit = process->exit;
  process->launch_failed();
  EXPECT_EQ(process->state(), failed);
  EXPECT_EQ(process->pid, 0);
  EXPECT_TRUE(process->finished.is_set());
  run_until_reaped(exit);
  EXPECT_EQ(exit->status, 137);
  EXPECT_EQ(process->state(), failed);
}

TEST_F(TaskProcessTest, OneThatIsRemovedBeforeItWasEverMadeIsFinished) {
  process->happens(ProcessEvent::removed);
  EXPECT_TRUE(process->finished.is_set());
  EXPECT_THROW(process->happens(ProcessEvent::started), Error);
}

TEST_F(TaskProcessTest, WhoeverWaitsForOneThatIsRemovedWhileItDiesHearsOfItsExit) {
  const pid_t pid = child(std::nullopt);
  process->adopt(children, pid);
  process->happens(ProcessEvent::removed);
  EXPECT_FALSE(process->finished.is_set());
  ::kill(pid, SIGKILL);
  run_until_reaped(process->exit);
  EXPECT_EQ(process->state(), deleted);
  process->happens(ProcessEvent::exit_published);
  EXPECT_TRUE(process->finished.is_set());
}

}  // namespace
}  // namespace flox::shim
