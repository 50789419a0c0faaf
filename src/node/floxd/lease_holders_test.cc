#include "node/floxd/lease_holders.h"

#include <gtest/gtest.h>

namespace flox::node {
namespace {

TEST(LeaseHolders, leases_of_pods_and_containers_end_with_their_processes_and_no_others) {
  EXPECT_TRUE(ends_with_processes("0123abcd"));
  EXPECT_TRUE(ends_with_processes("pod-0123abcd"));
  EXPECT_FALSE(ends_with_processes("view-0123abcd"));
  EXPECT_FALSE(ends_with_processes("kept-0123abcd"));
  EXPECT_FALSE(ends_with_processes("image-0123abcd"));
  EXPECT_FALSE(ends_with_processes("prefetch-0123abcd-1"));
}

}  // namespace
}  // namespace flox::node
