#include "ticket/worker/failed_messages.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/data/json.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/net/http_client.h"
#include "ticket/event_log.h"
#include "ticket/package.h"

namespace ticket {

using nlohmann::ordered_json;

namespace {

constexpr int most_deaths = 1'000'000;

std::string failed_key(const Message& message) { return "failed/" + flox::url_encode(message.id); }

size_t mixed(const Message& message) {
  return std::hash<std::string>()(fmt::format("{} {}", message.receive_count, message.id));
}

bool goes_first(const Message* one, const Message* other) {
  if (one->receive_count != other->receive_count) return one->receive_count < other->receive_count;
  if (one->receive_count == 2) return one->id < other->id;
  if (one->receive_count == 3) return one->id > other->id;
  return std::tuple(mixed(*one), one->id) < std::tuple(mixed(*other), other->id);
}

}  // namespace

std::vector<std::vector<const Message*>> in_turn(const std::vector<Message>& messages) {
  std::vector<std::vector<const Message*>> groups(1);
  std::vector<const Message*> returned;
  for (const Message& message : messages)
    (message.receive_count <= 1 ? groups.front() : returned).push_back(&message);
  if (groups.front().empty()) groups.clear();
  std::ranges::stable_sort(returned, goes_first);
  for (const Message* message : returned) groups.push_back({message});
  return groups;
}

std::string FailedMessages::keep(const Message& message, const std::string& problem) {
  const std::string key = failed_key(message) + ".json";
  const ordered_json record = {{"message_id", message.id},
                               {"receive_count", message.receive_count},
                               {"error", problem},
                               {"body", message.body},
                               {"processor_version", program_version()}};
  store_.put(bucket_, key, record.dump(2, ' ', false, ordered_json::error_handler_t::replace));
  return "s3://" + bucket_ + "/" + key;
}

std::string FailedMessages::begun_key(const Message& message) const { return failed_key(message) + ".begun"; }

int FailedMessages::unfinished(const Message& message) {
  auto text = store_.get(bucket_, begun_key(message), 4096);
  if (!text) return 0;
  try {
    const auto record = flox::parse_json(*text, "record", {.bytes = 4096, .depth = 2, .values = 16});
    const auto& times = flox::member(record, "unfinished", "record");
    if (times.is_number_unsigned())
      return static_cast<int>(std::min<uint64_t>(times.get<uint64_t>(), most_deaths));
  } catch (const flox::Error&) {
    // Not one of ours: as if there were none.
  }
  return 0;
}

void FailedMessages::begin(const Message& message, int unfinished) {
  const ordered_json record = {{"message_id", message.id},
                               {"receive_count", message.receive_count},
                               {"unfinished", std::min(unfinished, most_deaths - 1) + 1}};
  store_.put(bucket_, begun_key(message),
             record.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

void FailedMessages::end(const Message& message) noexcept {
  try {
    store_.remove(bucket_, begun_key(message));
    return;
  } catch (const std::exception& error) {
    log_event(Level::debug, "the record of a begun message could not be removed",
              {{"message_id", message.id}, {"error", flox::message_of(error)}});
  }
  // Without the permission to delete it is replaced.
  try {
    begin(message, -1);
  } catch (const std::exception& error) {
    log_event(Level::warning, "a message that ended still counts as begun",
              {{"message_id", message.id}, {"error", flox::message_of(error)}});
  }
}

}  // namespace ticket
