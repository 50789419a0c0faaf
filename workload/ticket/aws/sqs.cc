#include "ticket/aws/sqs.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "ticket/aws/answer.h"
#include "ticket/event_log.h"

namespace ticket::aws {

using flox::ErrorKind;
using nlohmann::json;

namespace {

constexpr int64_t latest_time = 9'000'000'000'000;  // milliseconds since 1970: the year 2255; a clock's
                                                    // nanoseconds end not much later

json call_sqs(const Client& client, const std::string& operation, const json& parameters,
              std::chrono::milliseconds extra_time = {}) {
  std::string text = client.call_json("sqs", "AmazonSQS." + operation, parameters.dump(), extra_time);
  if (text.empty()) return json::object();
  return flox::in_context("AmazonSQS." + operation, [&] { return parse_answer(text); });
}

// Of the object's own, or of an empty one where there is no such object.
const json& object_of(const json& answer, const char* key) {
  static const json none = json::object();
  auto found = answer.find(key);
  return found != answer.end() && found->is_object() ? *found : none;
}

const json& list_of(const json& answer, const char* key) {
  static const json none = json::array();
  auto found = answer.find(key);
  return found != answer.end() && found->is_array() ? *found : none;
}

std::string text_of(const json& object, const char* key) {
  auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// Attributes are numbers in texts; what is none, or beyond the limits, counts as `otherwise`.
int64_t number_of(const json& object, const char* key, int64_t low, int64_t high, int64_t otherwise) {
  std::string text = text_of(object, key);
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  bool good = error == std::errc() && end == text.data() + text.size() && number >= low && number <= high;
  return good ? number : otherwise;
}

Message parse_message(const json& given) {
  Message message{.id = text_of(given, "MessageId"),
                  .receipt = text_of(given, "ReceiptHandle"),
                  .body = text_of(given, "Body")};
  const json& attributes = object_of(given, "Attributes");
  message.receive_count =
      static_cast<int>(number_of(attributes, "ApproximateReceiveCount", 1, 1'000'000'000, 1));
  if (int64_t sent = number_of(attributes, "SentTimestamp", 1, latest_time, 0); sent > 0)
    message.sent_at = std::chrono::system_clock::time_point(std::chrono::milliseconds(sent));
  return message;
}

}  // namespace

std::string SqsQueue::url() {
  std::lock_guard lock(mutex_);
  if (url_.empty()) {
    url_ = flox::in_context("looking for the queue " + name_, [&] {
      return text_of(call_sqs(client_, "GetQueueUrl", {{"QueueName", name_}}), "QueueUrl");
    });
  }
  return url_;
}

json SqsQueue::call(const std::string& operation, json parameters) {
  parameters["QueueUrl"] = url();
  return call_sqs(client_, operation, parameters);
}

QueueTraits SqsQueue::traits() {
  json answer = call("GetQueueAttributes", {{"AttributeNames", {"VisibilityTimeout", "RedrivePolicy"}}});
  const json& attributes = object_of(answer, "Attributes");
  QueueTraits traits;
  traits.visibility =
      std::chrono::seconds(number_of(attributes, "VisibilityTimeout", 1, 43'200, traits.visibility.count()));
  traits.has_dead_letter_queue = !text_of(attributes, "RedrivePolicy").empty();
  return traits;
}

QueueDepth SqsQueue::depth() {
  json answer =
      call("GetQueueAttributes",
           {{"AttributeNames", {"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"}}});
  const json& attributes = object_of(answer, "Attributes");
  return {.waiting = number_of(attributes, "ApproximateNumberOfMessages", 0, INT64_MAX, 0),
          .hidden = number_of(attributes, "ApproximateNumberOfMessagesNotVisible", 0, INT64_MAX, 0)};
}

std::vector<Message> SqsQueue::receive(int most, std::chrono::seconds wait,
                                       std::optional<std::chrono::seconds> visibility,
                                       const std::function<bool()>& cancelled) {
  json parameters = {{"QueueUrl", url()},
                     {"MaxNumberOfMessages", most},
                     {"WaitTimeSeconds", wait.count()},
                     {"AttributeNames", {"ApproximateReceiveCount", "SentTimestamp"}}};
  if (visibility) parameters["VisibilityTimeout"] = visibility->count();
  json answer = call_sqs(client_.with_cancel(cancelled), "ReceiveMessage", parameters, wait);
  std::vector<Message> messages;
  for (const json& given : list_of(answer, "Messages")) messages.push_back(parse_message(given));
  return messages;
}

void SqsQueue::remove(const std::string& receipt) { call("DeleteMessage", {{"ReceiptHandle", receipt}}); }

void SqsQueue::set_visibility(const std::vector<std::string>& receipts, std::chrono::seconds time) {
  for (size_t begin = 0; begin < receipts.size(); begin += 10) {  // a batch has ten entries at most
    json entries = json::array();
    for (size_t i = begin; i < std::min(receipts.size(), begin + 10); ++i)
      entries.push_back(
          {{"Id", std::to_string(i)}, {"ReceiptHandle", receipts[i]}, {"VisibilityTimeout", time.count()}});
    json answer = call("ChangeMessageVisibilityBatch", {{"Entries", entries}});
    for (const json& failed : list_of(answer, "Failed"))
      log_event(Level::debug, "visibility not changed", {{"reason", text_of(failed, "Code")}});
  }
}

void SqsQueue::send(const std::string& body) { call("SendMessage", {{"MessageBody", body}}); }

std::string create_queue(const Client& client, const NewQueue& wanted) {
  return flox::in_context("making the queue " + wanted.name, [&] {
    json attributes = {{"VisibilityTimeout", std::to_string(wanted.visibility.count())},
                       {"MessageRetentionPeriod", "86400"},
                       {"ReceiveMessageWaitTimeSeconds", "20"}};
    std::string url;
    try {
      url = text_of(call_sqs(client, "GetQueueUrl", {{"QueueName", wanted.name}}), "QueueUrl");
    } catch (const flox::Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
      url = text_of(call_sqs(client, "CreateQueue", {{"QueueName", wanted.name}, {"Attributes", attributes}}),
                    "QueueUrl");
    }
    json answer =
        call_sqs(client, "GetQueueAttributes", {{"QueueUrl", url}, {"AttributeNames", {"QueueArn"}}});
    std::string arn = text_of(object_of(answer, "Attributes"), "QueueArn");
    json changes = json::object();
    if (!wanted.writable_by_bucket.empty()) {
      json statement = {
          {"Effect", "Allow"},
          {"Principal", {{"Service", "s3.amazonaws.com"}}},
          {"Action", "sqs:SendMessage"},
          {"Resource", arn},
          {"Condition", {{"ArnLike", {{"aws:SourceArn", "arn:aws:s3:::" + wanted.writable_by_bucket}}}}}};
      changes["Policy"] = json{{"Version", "2012-10-17"}, {"Statement", {statement}}}.dump();
    }
    if (!wanted.dead_letter_arn.empty())
      changes["RedrivePolicy"] = json{{"deadLetterTargetArn", wanted.dead_letter_arn},
                                      {"maxReceiveCount", std::to_string(wanted.max_receives)}}
                                     .dump();
    if (!changes.empty())
      call_sqs(client, "SetQueueAttributes", {{"QueueUrl", url}, {"Attributes", changes}});
    return arn;
  });
}

}  // namespace ticket::aws
