// Tests that mount.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>

#include "testing/mount_namespace.h"

namespace flox::lazy {

// Runs `body` in a mount namespace of its own, or skips the test where FUSE cannot be had.
inline void with_fuse(const std::function<void()>& body) {
  if (access("/dev/fuse", R_OK | W_OK) != 0) GTEST_SKIP() << "needs root and /dev/fuse";
  in_mount_namespace(body);
}

}  // namespace flox::lazy
