#include "shim/process/children.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "shim/testing/run_to_end.h"

namespace flox::shim {
namespace {

TEST(ChildrenTest, RunsCapturesAndFeedsCommands) {
  asio::io_context context;
  Children children(context.get_executor());
  Spawn spawn;
  spawn.argv = {"sh", "-c", "cat; echo oops >&2; exit 3"};
  Captured result = run_to_end(context, children.capture(spawn, "input"));
  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.out, "input");
  EXPECT_EQ(result.err, "oops\n");
  spawn.argv = {"sh", "-c", "kill -9 $$"};
  EXPECT_EQ(run_to_end(context, children.run(spawn)), 137);
}

TEST(ChildrenTest, AMissingProgramIsNamedAsGoDoes) {
  asio::io_context context;
  Children children(context.get_executor());
  Spawn spawn;
  spawn.argv = {"no-runc"};
  try {
    run_to_end(context, children.run(spawn));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "exec: \"no-runc\": executable file not found in $PATH");
  }
}

TEST(ChildrenTest, AnExitThatCameBeforeItsPidWasKnownIsFound) {
  asio::io_context context;
  Children children(context.get_executor());
  Children::ReapingRecord record(children);
  pid_t pid = fork();
  if (pid == 0) _exit(42);
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
  Spawn spawn;  // its end makes the reaper run
  spawn.argv = {"true"};
  EXPECT_EQ(run_to_end(context, children.run(spawn)), 0);
  auto exit = children.adopt(pid);
  ASSERT_TRUE(exit->happened.is_set());
  EXPECT_EQ(exit->status, 42);
}

}  // namespace
}  // namespace flox::shim
