// Control groups v2, against directories that look like theirs: the kernel's own are tested in
// test/shim/cgroup2.sh.
#include "shim/cgroup/cgroup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/os/file.h"
#include "shim/cgroup/stats.h"
#include "shim/protocol/metrics.pb.h"

namespace flox::shim {
namespace {

using testing::ElementsAre;

wire::MetricsV2 metrics_of(const fs::path& directory) {
  wire::MetricsV2 metrics;
  EXPECT_TRUE(metrics.ParseFromString(stats_v2(directory)));
  return metrics;
}

// --- numbers

TEST(CgroupStatsTest, UsageAndLimitsAreRead) {
  TempDir cgroup;
  write_file(cgroup.path() / "memory.current", "4096\n");
  write_file(cgroup.path() / "memory.max", "8192\n");
  write_file(cgroup.path() / "memory.stat", "anon 1\nslab_reclaimable 2\npgfault 3\nnew_in_linux_9 4\n");
  write_file(cgroup.path() / "cpu.stat", "usage_usec 30\nuser_usec 20\nsystem_usec 10\n");
  write_file(cgroup.path() / "pids.current", "3\n");
  write_file(cgroup.path() / "pids.max", "100\n");
  const wire::MetricsV2 metrics = metrics_of(cgroup.path());
  EXPECT_EQ(metrics.memory().usage(), 4096u);
  EXPECT_EQ(metrics.memory().usage_limit(), 8192u);
  EXPECT_EQ(metrics.memory().anon(), 1u);
  EXPECT_EQ(metrics.memory().slab_reclaimable(), 2u);
  EXPECT_EQ(metrics.memory().pgfault(), 3u);
  EXPECT_EQ(metrics.cpu().usage_usec(), 30u);
  EXPECT_EQ(metrics.pids().current(), 3u);
  EXPECT_EQ(metrics.pids().limit(), 100u);
}

TEST(CgroupStatsTest, NoLimitIsTheGreatestNumber) {
  TempDir cgroup;
  write_file(cgroup.path() / "memory.max", "max\n");
  write_file(cgroup.path() / "pids.max", "max\n");
  const wire::MetricsV2 metrics = metrics_of(cgroup.path());
  EXPECT_EQ(metrics.memory().usage_limit(), ~uint64_t{0});
  EXPECT_EQ(metrics.pids().limit(), ~uint64_t{0});
}

TEST(CgroupStatsTest, RefaultsOfAnonymousPagesAndFilesAreAdded) {
  TempDir cgroup;
  write_file(cgroup.path() / "memory.stat", "workingset_refault_anon 2\nworkingset_refault_file 3\n");
  EXPECT_EQ(metrics_of(cgroup.path()).memory().workingset_refault(), 5u);
}

TEST(CgroupStatsTest, EachDeviceHasItsInputAndOutput) {
  TempDir cgroup;
  write_file(cgroup.path() / "io.stat",
             "8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n7:0 rbytes=9\n253:1 \n");
  const wire::MetricsV2 metrics = metrics_of(cgroup.path());
  ASSERT_EQ(metrics.io().usage_size(), 3);
  const wire::IoEntry& first = metrics.io().usage(0);
  EXPECT_THAT(
      std::vector({first.major(), first.minor(), first.rbytes(), first.wbytes(), first.rios(), first.wios()}),
      ElementsAre(8, 16, 1, 2, 3, 4));
  EXPECT_EQ(metrics.io().usage(1).rbytes(), 9u);
}

TEST(CgroupStatsTest, EachHugePageSizeHasAnEntry) {
  TempDir cgroup;
  write_file(cgroup.path() / "hugetlb.2MB.current", "2097152\n");
  write_file(cgroup.path() / "hugetlb.2MB.max", "max\n");
  write_file(cgroup.path() / "hugetlb.2MB.rsvd.current", "1\n");
  write_file(cgroup.path() / "hugetlb.1GB.current", "0\n");
  const wire::MetricsV2 metrics = metrics_of(cgroup.path());
  ASSERT_EQ(metrics.hugetlb_size(), 2);
  EXPECT_EQ(metrics.hugetlb(0).pagesize(), "1GB");
  EXPECT_EQ(metrics.hugetlb(1).pagesize(), "2MB");
  EXPECT_EQ(metrics.hugetlb(1).current(), 2097152u);
  EXPECT_EQ(metrics.hugetlb(1).max(), ~uint64_t{0});
}

TEST(CgroupStatsTest, ControllersThatAreOffLeaveUsageAndLimitOfMemoryInPlace) {
  TempDir cgroup;
  EXPECT_TRUE(metrics_of(cgroup.path()).has_memory());
}

// --- controllers

class ControllersTest : public testing::Test {
 protected:
  // A cgroup with its controllers, and those that its children have.
  void make(const fs::path& cgroup, const std::string& own, const std::string& of_children) {
    fs::create_directories(root.path() / cgroup);
    write_file(root.path() / cgroup / "cgroup.controllers", own + "\n");
    write_file(root.path() / cgroup / "cgroup.subtree_control", of_children);
  }
  std::string written(const fs::path& cgroup) {
    return read_file(root.path() / cgroup / "cgroup.subtree_control");
  }
  TempDir root;
};

TEST_F(ControllersTest, WhatIsMissingOnTheWayDownIsEnabled) {
  make("", "cpu io memory misc", "");
  make("pods", "cpu io memory", "");
  make("pods/box", "cpu", "");
  enable_controllers(root.path(), root.path() / "pods/box");
  EXPECT_EQ(written(""), "+cpu +io +memory +misc ");
  EXPECT_EQ(written("pods"), "+cpu +io +memory ");
  EXPECT_EQ(written("pods/box"), "") << "the container's own children are its business";
}

TEST_F(ControllersTest, WhatIsEnabledIsNotWrittenAgain) {
  make("", "cpu io", "io cpu");
  make("box", "cpu io", "");
  enable_controllers(root.path(), root.path() / "box");
  EXPECT_EQ(written(""), "io cpu");
}

TEST_F(ControllersTest, ACgroupThatIsGoneOrElsewhereIsLeftAlone) {
  make("", "cpu", "");
  enable_controllers(root.path(), root.path());
  enable_controllers(root.path(), root.path().parent_path());
  EXPECT_EQ(written(""), "");
  enable_controllers(root.path(), root.path() / "gone/box");
  EXPECT_EQ(written(""), "+cpu ");
}

}  // namespace
}  // namespace flox::shim
