#include "node/doctor/prefetch_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/os/file.h"
#include "node/prefetch/prefetch_record.h"

namespace flox::node {
namespace {

using testing::HasSubstr;

TEST(PrefetchCheck, the_nodes_own_failures_are_warnings_and_a_namespaces_are_counted) {
  const TempDir root;
  Config config;
  config.root = root.path();
  EXPECT_EQ(check_prefetch(config).size(), 1U);
  EXPECT_FALSE(std::filesystem::exists(prefetch_directory(root.path())));  // who looks changes nothing
  PrefetchRecords records(prefetch_directory(root.path()));
  records.write(
      {.tenant = "", .environment = "acme/web", .state = PrefetchRecord::State::failed, .reason = "gone"});
  records.write({.tenant = "shop", .environment = "acme/web", .state = PrefetchRecord::State::failed});
  const auto findings = check_prefetch(config);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_THAT(findings[0].text, HasSubstr("2 failed"));
  EXPECT_EQ(findings[1].severity, Severity::warning);
  EXPECT_THAT(findings[1].text, HasSubstr("acme/web failed: gone"));
}

TEST(PrefetchCheck, prefetching_that_would_make_floxd_collect_garbage_is_a_warning) {
  const TempDir root;
  Config config;
  config.root = root.path();
  config.prefetch_min_free = {.share = 0.05};
  const auto findings = check_prefetch(config);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_THAT(findings[1].text, HasSubstr("under gc_min_free"));
}

}  // namespace
}  // namespace flox::node
