// What a message of the queue asks for.
#pragma once  // Fuzzed by fuzz/notification.cc.

#include <string>
#include <string_view>
#include <vector>

namespace ticket {

// One record: an object that holds a raw ticket, or what is wrong with the record.
struct Record {
  std::string bucket;
  std::string key;      // decoded: S3 sends "a+b%2Fc" for "a b/c", EventBridge the key itself
  std::string problem;  // empty for a good record
};

struct Notification {
  std::vector<Record> records;
  std::string ignored;  // why there is nothing to do, if there are no records
};

// Understands S3 event messages ({"Records":[{"s3":{"bucket":{"name":…},"object":{"key":…}}}]}), the same
// wrapped by SNS, S3's events by way of EventBridge ({"detail-type":"Object Created","detail":{"bucket":
// {"name":…},"object":{"key":…}}}), and records made by hand ({"Records":[{"key":…}]}, the key as it is, in
// `default_bucket`). S3's test event, bodies with neither Records nor detail, records of removed objects and
// EventBridge's events of another detail-type ask for nothing. Throws flox::Error(invalid_input) for anything
// else. Formats: the Amazon S3 User Guide, "Event message structure" and "Using EventBridge".
Notification parse_notification(std::string_view body, const std::string& default_bucket);

// The message that S3 would send for a new object; the generator's --notify sends it.
std::string s3_event(const std::string& bucket, const std::string& key, size_t size);

}  // namespace ticket
