#include "ticket/worker/notification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "ticket/testing/hostile_texts.h"

namespace ticket {
namespace {

using nlohmann::json;

Notification parse(const std::string& body) { return parse_notification(body, "raw"); }

TEST(Notification, NamesTheObjectsOfAnS3Event) {
  auto records = parse(R"({"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":"a.json"}}},
                                      {"s3":{"bucket":{"name":"c"},"object":{"key":"d"}}}]})")
                     .records;
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].bucket + "/" + records[0].key, "b/a.json");
  EXPECT_EQ(records[1].bucket + "/" + records[1].key, "c/d");
}

TEST(Notification, DecodesTheKeysOfEventsButNotThoseMadeByHand) {
  auto records = parse(R"({"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":"a+b%2Bc%C3%A4.json"}}},
                                      {"key":"a+b%2B"},{"Key":"x"}]})")
                     .records;
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].key, "a b+c\u00e4.json");
  EXPECT_EQ(records[1].key, "a+b%2B");
  EXPECT_EQ(records[1].bucket, "raw");
  EXPECT_EQ(records[2].key, "x");
}

TEST(Notification, UnwrapsWhatSnsWrapped) {
  json inner = json::parse(s3_event("b", "k e+y/1", 3));
  json outer = {{"Type", "Notification"}, {"TopicArn", "arn:aws:sns:r:1:t"}, {"Message", inner.dump()}};
  auto records = parse(outer.dump()).records;
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].key, "k e+y/1");
}

TEST(Notification, AsksForNothingInTestEventsBodiesWithoutRecordsAndRemovals) {
  EXPECT_EQ(parse(R"({"Service":"Amazon S3","Event":"s3:TestEvent"})").ignored, "S3's test event");
  EXPECT_EQ(parse("{}").ignored, "the message has no Records");
  EXPECT_EQ(parse(R"({"Records":[]})").ignored, "Records is empty");
  EXPECT_EQ(parse(R"({"Records":[{"eventName":"ObjectRemoved:Delete","s3":{}}]})").ignored,
            "the objects were removed");
}

TEST(Notification, NamesTheObjectOfAnEventBridgeEventWhoseKeyIsNotEncoded) {
  const std::string created =
      R"({"version":"0","id":"1","detail-type":"Object Created","source":"aws.s3","account":"1","region":"r",
          "resources":["arn:aws:s3:::b"],"detail":{"version":"0","bucket":{"name":"b"},
          "object":{"key":"a+b%2Fc d.json","size":5,"etag":"e","sequencer":"s"},"reason":"PutObject"}})";
  for (const std::string& body : {created, json{{"TopicArn", "t"}, {"Message", created}}.dump()}) {
    auto records = parse(body).records;
    ASSERT_EQ(records.size(), 1u);
    EXPECT_EQ(records[0].bucket + "/" + records[0].key, "b/a+b%2Fc d.json");
    EXPECT_EQ(records[0].problem, "");
  }
  EXPECT_EQ(parse(R"({"detail-type":"Object Deleted","detail":{"bucket":{"name":"b"},"object":{"key":"k"}}})")
                .ignored,
            "the event is 'Object Deleted', not of a new object");
  EXPECT_EQ(parse(R"({"detail":{"bucket":{"name":"b"},"object":{"key":"k"}}})").records.at(0).key, "k");
  for (const char* detail : {"{}", "7", "null", R"({"bucket":{"name":"b"},"object":{"key":""}})",
                             R"({"bucket":"b","object":{"key":"k"}})"})
    EXPECT_EQ(
        parse(fmt::format(R"({{"detail-type":"Object Created","detail":{}}})", detail)).records.at(0).problem,
        "the event has no detail.bucket.name or no detail.object.key")
        << detail;
}

TEST(Notification, KeepsAGoodRecordBesideABadOne) {
  auto records = parse(R"({"Records":[{"s3":{"bucket":{"name":"b"}}},{"key":"x"},7,{"key":5}]})").records;
  ASSERT_EQ(records.size(), 4u);
  EXPECT_FALSE(records[0].problem.empty());
  EXPECT_TRUE(records[1].problem.empty());
  EXPECT_FALSE(records[2].problem.empty());
  EXPECT_FALSE(records[3].problem.empty());
}

TEST(Notification, RefusesWhatIsNoNotification) {
  for (const char* body : {"", "nonsense", "null", "[\"Records\"]", R"({"Records":{}})", R"({"Records":"x"})",
                           R"({"TopicArn":"t","Message":"nonsense"})", "\"\xff\""})
    EXPECT_THROW(parse(body), flox::Error) << body;
}

TEST(Notification, RefusesNestingAndAbundanceWhereverTheyAre) {
  for (const std::string& value : nested_values(40'000))
    for (const std::string& body :
         {value, R"({"Records":)" + value + "}", R"({"Records":[{"s3":)" + value + "}]}",
          R"({"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":)" + value + "}}}]}",
          R"({"detail-type":"Object Created","detail":)" + value + "}",
          R"({"TopicArn":"t","Message":)" + json(value).dump() + "}"})
      EXPECT_THROW(parse(body), flox::Error) << body.substr(0, 60);
  EXPECT_THROW(parse(R"({"Records":[)" + repeated("{},", 1000) + "{}]}"), flox::Error);
  EXPECT_THROW(parse(std::string((256 << 10) + 1, ' ')), flox::Error);
  auto records = parse(R"({"Records":[{"key":")" + std::string(1025, 'k') + R"("},{"key":"x"}]})").records;
  ASSERT_EQ(records.size(), 2u);
  EXPECT_FALSE(records[0].problem.empty());
  EXPECT_TRUE(records[1].problem.empty());
}

}  // namespace
}  // namespace ticket
