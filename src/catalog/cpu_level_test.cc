#include "catalog/cpu_level.h"

#include <gtest/gtest.h>

namespace flox::catalog {
namespace {

TEST(Variants, are_chosen_by_what_the_cpu_can_run) {
  EXPECT_EQ(variant_rank("", "x86-64-v2"), 0);
  EXPECT_GT(variant_rank("x86-64-v3", "x86-64-v4"), variant_rank("x86-64-v2", "x86-64-v4"));
  EXPECT_EQ(variant_rank("x86-64-v3", "x86-64-v2"), -1);
  EXPECT_EQ(variant_rank("x86-64-v2", "armv8-a"), -1);
  EXPECT_EQ(variant_rank("x86-64-v2", ""), -1);
  EXPECT_TRUE(is_known_variant(cpu_level(), "x86_64-linux") ||
              is_known_variant(cpu_level(), "aarch64-linux"));
  EXPECT_FALSE(is_known_variant("avx2", "x86_64-linux"));
  EXPECT_FALSE(is_known_variant("x86-64-v9", "x86_64-linux"));
  EXPECT_FALSE(is_known_variant("x86-64-v3", "aarch64-linux"));
}

}  // namespace
}  // namespace flox::catalog
