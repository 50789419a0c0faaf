// Mounts in tests.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <functional>

#include "base/foreign_error.h"

namespace flox {

// Runs `body` in a mount namespace of its own, in a child process, whose result is that of the test. Skips
// the test where there can be none.
inline void in_mount_namespace(const std::function<void()>& body) {
  constexpr int cannot = 77;
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", "", MS_PRIVATE | MS_REC, "") != 0) ::_exit(cannot);
    try {
      body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", message_of(error).c_str());
      ::_exit(1);
    }
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == cannot) GTEST_SKIP() << "needs root";
  EXPECT_EQ(status, 0);
}

}  // namespace flox
