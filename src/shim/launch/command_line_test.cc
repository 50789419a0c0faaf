#include "shim/launch/command_line.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::shim {
namespace {

TEST(CommandLineTest, ReadsWhatContainerdWrites) {
  CommandLine line = CommandLine::parse({"-namespace", "k8s.io", "-address", "/run/c.sock", "-publish-binary",
                                         "/usr/bin/containerd", "-id", "x", "-debug", "start"});
  EXPECT_EQ(line.namespace_name, "k8s.io");
  EXPECT_EQ(line.address, "/run/c.sock");
  EXPECT_EQ(line.id, "x");
  EXPECT_TRUE(line.debug);
  EXPECT_EQ(line.action, "start");
  line = CommandLine::parse({"--namespace=n", "-id=y", "-bundle=/b=c", "delete"});
  EXPECT_EQ(line.bundle, "/b=c");
  EXPECT_EQ(line.action, "delete");
  EXPECT_TRUE(CommandLine::parse({"-info"}).info);
  EXPECT_TRUE(CommandLine::parse({"-v"}).version);
}

TEST(CommandLineTest, RefusesWhatItDoesNotKnow) {
  EXPECT_THROW(CommandLine::parse({"-id", "x", "start"}), Error);
  EXPECT_THROW(CommandLine::parse({"-namespace", "n", "start"}), Error);
  EXPECT_THROW(CommandLine::parse({"-namespace", "n", "-id", "x", "stop"}), Error);
  EXPECT_THROW(CommandLine::parse({"-namespace", "n", "-colour", "red"}), Error);
  EXPECT_THROW(CommandLine::parse({"-namespace"}), Error);
}

}  // namespace
}  // namespace flox::shim
