#include "nix/cache_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/error_of.h"

namespace flox::nix {
namespace {

using testing::HasSubstr;

TEST(CacheInfo, is_read_and_written_as_nix_does) {
  const CacheInfo info = CacheInfo::parse("StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 41\nX: y\n");
  EXPECT_EQ(info.priority, 41);
  EXPECT_TRUE(info.want_mass_query);
  EXPECT_EQ(CacheInfo::parse(info.to_string()).to_string(), info.to_string());
  EXPECT_EQ(CacheInfo::parse("StoreDir: /nix/store\n").priority, 0);
  EXPECT_THAT(error_of([] { CacheInfo::parse("Priority: high\n"); }), HasSubstr("not a number"));
  EXPECT_FALSE(CacheInfo::parse("StoreDir: /nix/store\n").want_mass_query);
  EXPECT_FALSE(CacheInfo::parse("WantMassQuery: yes\n").want_mass_query);
  for (const char* text : {"Priority: 30x\n", "Priority:30", "Priority: \t+30 \r\n", "nonsense\nPriority: 30",
                           "Priority: 1\nPriority: 30\n"})
    EXPECT_EQ(CacheInfo::parse(text).priority, 30) << text;
  for (const char* text : {"Priority:\n", "Priority: x30", "Priority: 99999999999", "Priority: ++1"})
    EXPECT_THAT(error_of([&] { CacheInfo::parse(text); }), HasSubstr("Priority")) << text;
}

}  // namespace
}  // namespace flox::nix
