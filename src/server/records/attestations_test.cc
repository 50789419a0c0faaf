#include "server/records/attestations.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"
#include "server/testing/database.h"
#include "testing/error_of.h"

namespace flox::server {
namespace {

class AttestationRecordsTest : public testing::Test {
 protected:
  TempDir dir_;
  TestDatabase test_database_{dir_.path()};
  std::unique_ptr<Database> database_ = test_database_.open();
  AttestationRecords records_{*database_};
};

TEST_F(AttestationRecordsTest, what_a_key_has_attested_never_changes) {
  EXPECT_TRUE(records_.add("a", {.key = "k", .envelope = "1"}));
  EXPECT_FALSE(records_.add("a", {.key = "k", .envelope = "1"}));
  EXPECT_NE(error_of([&] { records_.add("a", {.key = "k", .envelope = "2"}); }, ErrorKind::conflict),
            "no error");
  EXPECT_TRUE(records_.add("a", {.key = "l", .envelope = "2"}));
  ASSERT_EQ(records_.find("a").size(), 2u);
  EXPECT_EQ(records_.find("a")[0].envelope, "1");
  EXPECT_TRUE(AttestationRecords(*test_database_.open()).find("b").empty());
}

TEST_F(AttestationRecordsTest, a_path_has_a_bounded_number) {
  for (size_t i = 0; i < AttestationRecords::most_of_a_path; ++i)
    EXPECT_TRUE(records_.add("a", {.key = std::to_string(i), .envelope = "x"}));
  EXPECT_NE(error_of([&] { records_.add("a", {.key = "one more", .envelope = "x"}); }, ErrorKind::conflict),
            "no error");
}

TEST_F(AttestationRecordsTest, says_which_of_many_have_any) {
  records_.add("a", {.key = "k", .envelope = "1"});
  records_.add("c", {.key = "k", .envelope = "1"});
  EXPECT_EQ(records_.among({"a", "b", "c"}), (std::set<std::string>{"a", "c"}));
}

}  // namespace
}  // namespace flox::server
