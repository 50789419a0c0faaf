#include "ticket/worker/notification.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/http_client.h"

namespace ticket {

using flox::ErrorKind;
using flox::fail;
using nlohmann::json;

namespace {

json parse_body(std::string_view body, const char* what) {
  json document = json::parse(body, nullptr, false);
  if (document.is_discarded()) fail(ErrorKind::invalid_input, "the {} is not JSON in UTF-8", what);
  if (!document.is_object())
    fail(ErrorKind::invalid_input, "the {} is not a JSON object but {}", what, document.type_name());
  return document;
}

const std::string* text_at(const json& object, const char* pointer) {
  json::json_pointer path(pointer);
  if (!object.is_object() || !object.contains(path)) return nullptr;
  return object.at(path).get_ptr<const std::string*>();
}

Record parse_record(const json& given, const std::string& default_bucket) {
  if (!given.is_object()) return {.problem = "the record is not an object"};
  if (given.contains("s3")) {
    const std::string* bucket = text_at(given, "/s3/bucket/name");
    const std::string* key = text_at(given, "/s3/object/key");
    if (bucket == nullptr || key == nullptr || bucket->empty() || key->empty())
      return {.problem = "the record has no s3.bucket.name or no s3.object.key"};
    return {.bucket = *bucket, .key = flox::url_decode(*key, true)};
  }
  const std::string* key = text_at(given, "/key");
  if (key == nullptr) key = text_at(given, "/Key");
  if (key == nullptr || key->empty()) return {.problem = "the record has neither s3.object.key nor key"};
  return {.bucket = default_bucket, .key = *key};
}

bool is_removal(const json& record) {
  const std::string* name = text_at(record, "/eventName");
  return name != nullptr && name->find("ObjectRemoved") != std::string::npos;
}

}  // namespace

Notification parse_notification(std::string_view body, const std::string& default_bucket) {
  json document = parse_body(body, "message");
  const std::string* wrapped = text_at(document, "/Message");
  if (wrapped != nullptr && !document.contains("Records") && document.contains("TopicArn"))
    document = parse_body(*wrapped, "message inside the SNS notification");

  Notification notification;
  if (!document.contains("Records")) {
    const std::string* event = text_at(document, "/Event");
    notification.ignored =
        event != nullptr && *event == "s3:TestEvent" ? "S3's test event" : "the message has no Records";
    return notification;
  }
  const json& records = document["Records"];
  if (!records.is_array())
    fail(ErrorKind::invalid_input, "Records is not an array but {}", records.type_name());
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
