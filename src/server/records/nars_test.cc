#include "server/records/nars.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/os/file.h"
#include "server/testing/database.h"

namespace flox::server {
namespace {

using std::chrono::hours;

class NarRecordsTest : public testing::Test {
 protected:
  TempDir dir_;
  TestDatabase test_database_{dir_.path()};
  std::unique_ptr<Database> database_ = test_database_.open();
  std::unique_ptr<Database> other_database_ = test_database_.open();
  NarRecords here_{*database_};
  NarRecords elsewhere_{*other_database_};
  const NarRecords::Time now_ = std::chrono::system_clock::now();
  const std::string file_ = "nar/a.nar";
};

TEST_F(NarRecordsTest, what_one_catalog_has_verified_the_other_need_not) {
  EXPECT_FALSE(here_.use(file_, now_));
  here_.set_content(file_, 100, NarContent{.hash = sha256("x"), .size = 200});
  const auto known = elsewhere_.use(file_, now_);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->hash, sha256("x"));
  EXPECT_EQ(known->size, 200u);
  EXPECT_EQ(elsewhere_.bytes(), 100u);
  here_.set_content(file_, 100, std::nullopt);
  EXPECT_TRUE(elsewhere_.use(file_, now_)) << "what is known stays known";
}

TEST_F(NarRecordsTest, what_one_catalog_publishes_the_other_does_not_remove) {
  here_.use(file_, now_ - hours(30));
  here_.use(file_, now_);
  EXPECT_FALSE(elsewhere_.begin_removal(file_, now_ - hours(24), now_));
  EXPECT_TRUE(elsewhere_.begin_removal(file_, now_ + hours(1), now_));
  EXPECT_FALSE(here_.begin_removal(file_, now_ + hours(1), now_)) << "the other one does it already";
  elsewhere_.end_removal(file_);
  EXPECT_FALSE(here_.use(file_, now_));
}

TEST_F(NarRecordsTest, what_a_narinfo_names_stays) {
  here_.set_named({file_, "nar/b.nar"});
  EXPECT_EQ(elsewhere_.named().size(), 2u);
  EXPECT_FALSE(elsewhere_.begin_removal(file_, now_ + hours(1), now_));
}

TEST_F(NarRecordsTest, whoever_publishes_waits_for_a_removal_to_end) {
  ASSERT_TRUE(here_.begin_removal(file_, now_, now_));
  std::thread removing([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    here_.end_removal(file_);
  });
  EXPECT_FALSE(elsewhere_.use(file_, now_));
  removing.join();
  EXPECT_FALSE(here_.begin_removal(file_, now_ - hours(1), now_));
}

TEST_F(NarRecordsTest, a_catalog_that_died_while_it_removed_blocks_nobody_for_good) {
  ASSERT_TRUE(here_.begin_removal(file_, now_, now_ - hours(1)));
  EXPECT_FALSE(elsewhere_.use(file_, now_));
  ASSERT_TRUE(here_.begin_removal("nar/b.nar", now_, now_ - hours(1)));
  EXPECT_TRUE(elsewhere_.begin_removal("nar/b.nar", now_, now_));
}

}  // namespace
}  // namespace flox::server
