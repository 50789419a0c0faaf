#include "trust/metadata_time.h"

#include <gtest/gtest.h>

#include "testing/error_of.h"

namespace flox::trust {
namespace {

TEST(MetadataTime, IsReadAndWrittenAlike) {
  for (const char* text : {"1970-01-01T00:00:00Z", "2028-02-29T23:59:59Z", "9999-12-31T00:00:00Z"})
    EXPECT_EQ(time_text(parse_time(text)), text);
  EXPECT_EQ(parse_time("1970-01-02T00:00:01Z").time_since_epoch().count(), 86401);
}

TEST(MetadataTime, IsInUtcAndThere) {
  for (const char* bad :
       {"", "2027-01-31", "2027-01-31T12:00:00", "2027-01-31T12:00:00+01:00", "2027-01-31T12:00:00z",
        "2027-02-29T00:00:00Z", "2027-13-01T00:00:00Z", "2027-00-10T00:00:00Z", "2027-01-01T24:00:00Z",
        "2027-01-01T00:60:00Z", "2027-01-01T00:00:60Z", "2027-1-31T12:00:00Z", "1969-12-31T23:59:59Z",
        " 2027-01-31T12:00:0Z"})
    EXPECT_NE(error_of([&] { parse_time(bad); }), "no error") << bad;
}

}  // namespace
}  // namespace flox::trust
