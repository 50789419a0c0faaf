#include "server/files/s3_answers.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::server {
namespace {

// As in the example of ListObjectsV2.
std::string listing(const std::string& more = "") {
  return R"(<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>bucket</Name><Prefix/><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys>)" +
         more + R"(
  <Contents><Key>my&amp;image.jpg</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>
    <ETag>"fba9dede5f27731c9771645a39863328"</ETag><Size>434234</Size><StorageClass>STANDARD</StorageClass></Contents>
  <Contents><Key>b</Key><LastModified>1970-01-01T00:00:01Z</LastModified><Size>0</Size></Contents>
</ListBucketResult>)";
}

TEST(S3Answers, a_list_has_its_objects_and_where_it_goes_on) {
  const S3Listing last = parse_s3_listing(listing("<IsTruncated>false</IsTruncated>"));
  ASSERT_EQ(last.entries.size(), 2u);
  EXPECT_EQ(last.entries[0].key, "my&image.jpg");
  EXPECT_EQ(last.entries[0].size, 434234u);
  EXPECT_EQ(std::chrono::system_clock::to_time_t(last.entries[0].modified), 1255369830);
  EXPECT_EQ(std::chrono::system_clock::to_time_t(last.entries[1].modified), 1);
  EXPECT_EQ(last.next, "");
  EXPECT_EQ(parse_s3_listing(
                listing("<IsTruncated>true</IsTruncated><NextContinuationToken>t=</NextContinuationToken>"))
                .next,
            "t=");
}

TEST(S3Answers, what_is_no_list_is_refused) {
  for (const std::string& text :
       {std::string(), std::string("<html/>"), listing("<IsTruncated>true</IsTruncated>"),
        std::string("<ListBucketResult><Contents><Key>k</Key></Contents></ListBucketResult>"),
        std::string("<ListBucketResult><Contents><Key>k</Key><Size>-1</Size>"
                    "<LastModified>2009-10-12T17:50:30.000Z</LastModified></Contents></ListBucketResult>")})
    EXPECT_THROW(parse_s3_listing(text), Error) << text;
}

TEST(S3Answers, an_upload_has_an_id) {
  EXPECT_EQ(parse_s3_upload("<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key>"
                            "<UploadId>VXB/1+=</UploadId></InitiateMultipartUploadResult>"),
            "VXB/1+=");
  EXPECT_THROW(parse_s3_upload("<InitiateMultipartUploadResult/>"), Error);
  EXPECT_THROW(parse_s3_upload("<Other><UploadId>1</UploadId></Other>"), Error);
}

TEST(S3Answers, an_error_says_why_and_anything_else_nothing) {
  EXPECT_EQ(parse_s3_error("<Error><Code>NoSuchKey</Code><Message>None such</Message></Error>"),
            "NoSuchKey: None such");
  EXPECT_EQ(parse_s3_error("<Error><Code>SlowDown</Code></Error>"), "SlowDown");
  for (const char* text : {"", "not found", "<html><Code>1</Code></html>", "<Error/>"})
    EXPECT_EQ(parse_s3_error(text), "") << text;
}

TEST(S3Answers, a_time_is_read_strictly) {
  EXPECT_TRUE(parse_s3_time("2026-11-29T07:40:00Z"));
  EXPECT_TRUE(parse_s3_time("2026-11-29T07:40:00.123456Z"));
  for (const char* text :
       {"", "2026-11-29", "2026-11-29T07:40:00", "2026-13-29T07:40:00Z", "2026-02-30T07:40:00Z",
        "2026-11-29T24:40:00Z", "2026-11-29T07:40:00.Z1", "2026-11-29 07:40:00Z", "2026-11-29T07:40:00+01:00",
        "+026-11-29T07:40:00Z", "1017-11-29T07:40:00Z", "9999-11-29T07:40:00Z"})
    EXPECT_FALSE(parse_s3_time(text)) << text;
}

}  // namespace
}  // namespace flox::server
