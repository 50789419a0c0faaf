#include "ticket/worker/notification.h"

#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "base/net/http_client.h"
#include "base/printable.h"

namespace ticket {

using flox::ErrorKind;
using flox::fail;
using nlohmann::json;

namespace {

// A message of SQS has 256 KiB at most; the local backend's are held to the same. S3 sends one record, people
// a few by hand.
constexpr flox::JsonLimits body_limits{.bytes = 256 << 10, .depth = 32, .values = 1 << 14};
constexpr size_t max_records = 1000;
constexpr size_t max_key = 1024;  // bytes, S3's own limit

json parse_body(std::string_view body, const char* what) {
  json document;
  try {
    document = flox::parse_json(body, "message", body_limits);
  } catch (const flox::Error& error) {
    throw error.with_context(fmt::format("the {} is not JSON that can be taken", what));
  }
  if (!document.is_object())
    fail(ErrorKind::invalid_input, "the {} is not a JSON object but {}", what, document.type_name());
  return document;
}

// The text at the end of these members of members; nothing if it is not there.
const std::string* text_at(const json& object, std::initializer_list<const char*> path) {
  const json* at = &object;
  for (const char* name : path) {
    auto found = at->find(name);  // of what is no object: its end
    if (found == at->end()) return nullptr;
    at = &*found;
  }
  return at->get_ptr<const std::string*>();
}

Record checked(std::string bucket, std::string key) {
  if (key.size() > max_key)
    return {.problem = fmt::format("the record's key has {} bytes, more than {}", key.size(), max_key)};
  return {.bucket = std::move(bucket), .key = std::move(key)};
}

Record in_bucket(const std::string* bucket, const std::string* key, bool is_encoded, const char* place) {
  if (bucket == nullptr || key == nullptr || bucket->empty() || key->empty())
    return {.problem = fmt::format("the {0} has no {1}.bucket.name or no {1}.object.key",
                                   is_encoded ? "record" : "event", place)};
  return checked(*bucket, is_encoded ? flox::url_decode(*key, true) : *key);
}

Record parse_record(const json& given, const std::string& default_bucket) {
  if (!given.is_object()) return {.problem = "the record is not an object"};
  if (given.contains("s3"))
    return in_bucket(text_at(given, {"s3", "bucket", "name"}), text_at(given, {"s3", "object", "key"}), true,
                     "s3");
  const std::string* key = text_at(given, {"key"});
  if (key == nullptr) key = text_at(given, {"Key"});
  if (key == nullptr || key->empty()) return {.problem = "the record has neither s3.object.key nor key"};
  return checked(default_bucket, *key);
}

bool is_removal(const json& record) {
  const std::string* name = text_at(record, {"eventName"});
  return name != nullptr && name->find("ObjectRemoved") != std::string::npos;
}

// An event of S3 that came by EventBridge; its key is not encoded.
Notification parse_event(const json& event) {
  Notification notification;
  const std::string* kind = text_at(event, {"detail-type"});
  if (kind != nullptr && *kind != "Object Created")
    notification.ignored = fmt::format("the event is '{}', not of a new object", flox::printable(*kind, 100));
  else
    notification.records.push_back(in_bucket(text_at(event, {"detail", "bucket", "name"}),
                                             text_at(event, {"detail", "object", "key"}), false, "detail"));
  return notification;
}

}  // namespace

Notification parse_notification(std::string_view body, const std::string& default_bucket) {
  json document = parse_body(body, "message");
  const std::string* wrapped = text_at(document, {"Message"});
  if (wrapped != nullptr && !document.contains("Records") && document.contains("TopicArn"))
    document = parse_body(*wrapped, "message inside the SNS notification");

  if (!document.contains("Records") && document.contains("detail")) return parse_event(document);
  Notification notification;
  if (!document.contains("Records")) {
    const std::string* event = text_at(document, {"Event"});
    notification.ignored =
        event != nullptr && *event == "s3:TestEvent" ? "S3's test event" : "the message has no Records";
    return notification;
  }
  const json& records = document["Records"];
  if (!records.is_array())
    fail(ErrorKind::invalid_input, "Records is not an array but {}", records.type_name());
  if (records.size() > max_records)
    fail(ErrorKind::invalid_input, "the message has {} records, more than {}", records.size(), max_records);
  for (const json& record : records)
    if (!is_removal(record)) notification.records.push_back(parse_record(record, default_bucket));
  if (notification.records.empty())
    notification.ignored = records.empty() ? "Records is empty" : "the objects were removed";
  return notification;
}

std::string s3_event(const std::string& bucket, const std::string& key, size_t size) {
  // S3 encodes keys as forms do: "+" for a blank, slashes kept.
  std::string encoded;
  for (char c : key) encoded += c == ' ' ? "+" : flox::url_encode(std::string_view(&c, 1), true);
  json record = {{"eventVersion", "2.1"},
                 {"eventSource", "aws:s3"},
                 {"eventName", "ObjectCreated:Put"},
                 {"s3",
                  {{"s3SchemaVersion", "1.0"},
                   {"bucket", {{"name", bucket}}},
                   {"object", {{"key", encoded}, {"size", size}}}}}};
  return json{{"Records", {record}}}.dump();
}

}  // namespace ticket
