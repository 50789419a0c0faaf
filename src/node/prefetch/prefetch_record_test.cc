#include "node/prefetch/prefetch_record.h"

#include <gtest/gtest.h>

#include "base/os/file.h"

namespace flox::node {
namespace {

class PrefetchRecordsTest : public testing::Test {
 protected:
  std::filesystem::path directory() const { return prefetch_directory(root_.path()); }
  TempDir root_;
  PrefetchRecord web_{.tenant = "shop",
                      .environment = "acme/web:8",
                      .askers = {"c1", "c2"},
                      .state = PrefetchRecord::State::present,
                      .asked_at = 100,
                      .deadline = 200,
                      .retry_at = 3,
                      .attempts = 4,
                      .ended_at = 150,
                      .kept_until = 900,
                      .profile = "/nix/store/x-web",
                      .closure_size = 12,
                      .second_lease = true,
                      .reason = "none",
                      .advice = "do"};
};

TEST_F(PrefetchRecordsTest, a_record_comes_back_as_it_was_written) {
  PrefetchRecords records(directory());
  records.write(web_);
  const auto loaded = records.load();
  ASSERT_EQ(loaded.size(), 1U);
  const PrefetchRecord& web = loaded.at(web_.key());
  EXPECT_EQ(web.askers, web_.askers);
  EXPECT_EQ(web.state, web_.state);
  EXPECT_EQ(
      std::tie(web.asked_at, web.deadline, web.retry_at, web.attempts, web.ended_at, web.kept_until),
      std::tie(web_.asked_at, web_.deadline, web_.retry_at, web_.attempts, web_.ended_at, web_.kept_until));
  EXPECT_EQ(std::tie(web.profile, web.closure_size, web.second_lease, web.reason, web.advice),
            std::tie(web_.profile, web_.closure_size, web_.second_lease, web_.reason, web_.advice));
  EXPECT_EQ(read_prefetch_records(directory()).size(), 1U);
  records.remove(web_.key());
  EXPECT_TRUE(records.load().empty());
}

TEST_F(PrefetchRecordsTest, one_environment_of_two_namespaces_is_two_records_with_leases_of_their_own) {
  PrefetchRecord other = web_;
  other.tenant = "shopacme";
  other.environment = "/web:8";
  EXPECT_NE(other.key(), web_.key());
  EXPECT_NE(other.holder(), web_.holder());
  EXPECT_NE(web_.holder(), web_.next_holder());
  other = web_;
  other.second_lease = false;
  EXPECT_EQ(other.next_holder(), web_.holder());
}

TEST_F(PrefetchRecordsTest, what_is_damaged_or_of_another_name_goes_and_the_rest_stays) {
  PrefetchRecords records(directory());
  records.write(web_);
  const auto file = directory() / (web_.key() + ".json");
  write_file(directory() / "ffff.json", read_file(file));
  write_file(directory() / "half", "{");
  EXPECT_EQ(read_prefetch_records(directory()).size(), 1U);  // who looks changes nothing
  EXPECT_EQ(records.load().size(), 1U);
  EXPECT_FALSE(std::filesystem::exists(directory() / "ffff.json"));
  EXPECT_FALSE(std::filesystem::exists(directory() / "half"));
}

}  // namespace
}  // namespace flox::node
