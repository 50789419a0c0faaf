#include "ticket/worker/inbox.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/foreign_error.h"
#include "ticket/event_log.h"
#include "ticket/worker/back_off.h"

namespace ticket {

using nlohmann::ordered_json;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

// A long poll is cut off this long after a request to stop: messages in an answer that nobody reads would
// stay hidden for the whole visibility time-out, while those that arrive can be finished or given back.
constexpr auto answer_on_its_way = 500ms;
// One that does not wait is answered at once, if the service is not slow; it is asked while others are in
// hand.
constexpr auto slow_answer = 10s;
constexpr auto depth_interval = 15s;
constexpr int deaths_allowed = 2;  // of workers that processed a message alone, until it is set aside

}  // namespace

Inbox::Inbox(const Settings& settings, const QueueTraits& traits, Parts parts)
    : settings_(settings),
      traits_(traits),
      parts_(parts),
      keeper_(parts.queue, settings.visibility.value_or(traits.visibility)),
      failed_messages_(parts.store, settings.enriched_bucket) {}

std::optional<std::vector<Message>> Inbox::poll(std::chrono::seconds wait) {
  auto begin = steady_clock::now();
  try {
    auto messages = parts_.queue.receive(settings_.max_messages, wait, settings_.visibility, [this, wait] {
      return parts_.stop.requested_since(wait == 0s ? slow_answer : answer_on_its_way);
    });
    parts_.metrics.poll(steady_clock::now() - begin);
    parts_.metrics.batch(messages.size());
    parts_.health.queue_answered();
    look_at_queue(messages);
    return messages;
  } catch (const flox::Error& error) {
    if (parts_.stop.requested()) return std::nullopt;
    parts_.metrics.error("poll", error.kind());
    parts_.health.queue_failed(error.what());
    log_event(Level::error, "polling the queue failed",
              {{"queue", settings_.queue}, {"error", error.what()}});
    return std::nullopt;
  }
}

void Inbox::look_at_queue(const std::vector<Message>& messages) {
  Seconds lag{0};
  for (const Message& message : messages) {
    if (message.receive_count != 1 || !message.sent_at) continue;
    Seconds age = std::chrono::system_clock::now() - *message.sent_at;
    parts_.metrics.queue_age(age);
    lag = std::max(lag, age);
  }
  parts_.metrics.queue_lag(lag);
  auto now = steady_clock::now();
  if (depth_seen_ != steady_clock::time_point{} && now - depth_seen_ < depth_interval) return;
  depth_seen_ = now;
  try {
    QueueDepth depth = parts_.queue.depth();
    parts_.metrics.queue_depth(depth.waiting, depth.hidden);
  } catch (const flox::Error& error) {  // a figure is no reason to leave messages waiting
    log_event(Level::debug, "the queue's depth is unknown", {{"error", error.what()}});
  }
}

// Whether its next delivery may be the last one, so that the deaths of workers are counted.
bool Inbox::is_suspect(const Message& message) const {
  return !traits_.has_dead_letter_queue &&
         message.receive_count >= std::max(2, settings_.max_receives - deaths_allowed);
}

// False if the message is not to be looked at any more.
bool Inbox::begin(Delivery& delivery) {
  const Message& message = *delivery.message;
  if (!is_suspect(message)) return true;
  int unfinished = 0;
  try {
    unfinished = failed_messages_.unfinished(message);
    if (unfinished < deaths_allowed || message.receive_count < settings_.max_receives) {
      failed_messages_.begin(message, unfinished);
      delivery.begun = true;
      return true;
    }
  } catch (const flox::Error& error) {
    // The ticket needs the same store, and will say the same.
    log_event(Level::debug, "that a message is begun could not be written down",
              {{"message_id", message.id}, {"error", error.what()}});
    return true;
  }
  delivery.begun = true;
  reject(
      delivery, "worker_ended",
      fmt::format("the worker's process ended {} times while it processed this message alone", unfinished));
  return false;
}

void Inbox::reject(Delivery& delivery, const char* reason, const std::string& problem) {
  delivery.outcome = Outcome::rejected;
  delivery.problem = problem;
  ++parts_.counts.failed;
  parts_.metrics.failed(reason);
  log_event(Level::error, "message cannot be processed",
            {{"message_id", delivery.message->id},
             {"receive_count", delivery.message->receive_count},
             {"reason", reason},
             {"error", problem}});
}

Delivery Inbox::open(std::shared_ptr<const Message> owned) {
  const Message& message = *owned;
  Delivery delivery{.message = std::move(owned)};
  if (!begin(delivery)) return delivery;
  try {
    Notification notification = parse_notification(message.body, settings_.raw_bucket);
    if (notification.records.empty()) {
      parts_.metrics.ignored();
      log_event(Level::info, "message asks for nothing and is deleted",
                {{"message_id", message.id}, {"reason", notification.ignored}});
    }
    for (Record& record : notification.records)
      delivery.jobs.push_back({.message = &message, .record = std::move(record)});
  } catch (const std::exception& error) {
    delivery.jobs.clear();
    reject(delivery, "message", flox::message_of(error));
  }
  return delivery;
}

void Inbox::settle(Delivery& delivery, std::vector<std::string>& to_return) {
  const Message& message = *delivery.message;
  for (const Job& job : delivery.jobs) {
    delivery.outcome = std::max(delivery.outcome, job.outcome);
    if (!job.problem.empty()) delivery.problem += (delivery.problem.empty() ? "" : "\n") + job.problem;
  }
  if (delivery.outcome == Outcome::rejected && !traits_.has_dead_letter_queue &&
      message.receive_count >= settings_.max_receives && move_aside(message, delivery.problem))
    delivery.outcome = Outcome::done;
  if (delivery.begun) failed_messages_.end(message);
  if (delivery.outcome == Outcome::dropped) {
    to_return.push_back(message.receipt);
    return;
  }
  keeper_.let_go({message.receipt});
  if (delivery.outcome == Outcome::done)
    remove(message);
  else
    hide_for_retry(message);
}

void Inbox::give_back(const std::vector<std::string>& receipts) {
  keeper_.let_go(receipts);
  try {
    parts_.queue.set_visibility(receipts, 0s);
    parts_.counts.returned += static_cast<long>(receipts.size());
    parts_.metrics.returned(receipts.size());
    log_event(Level::info, "returned messages to the queue", {{"messages", receipts.size()}});
  } catch (const flox::Error& error) {
    parts_.metrics.error("visibility", error.kind());
    log_event(Level::warning,
              "messages could not be returned; they come back when their visibility time-out passes",
              {{"messages", receipts.size()}, {"error", error.what()}});
  }
}

bool Inbox::move_aside(const Message& message, const std::string& problem) {
  std::string place;
  try {
    place = failed_messages_.keep(message, problem);
  } catch (const flox::Error& error) {
    log_event(Level::error, "message could not be moved aside",
              {{"message_id", message.id}, {"error", error.what()}});
    return false;
  }
  parts_.metrics.moved_aside();
  log_event(Level::warning, "message moved aside",
            {{"message_id", message.id}, {"kept_as", place}, {"error", problem}});
  return true;
}

void Inbox::hide_for_retry(const Message& message) {
  auto most = doubled(settings_.retry_delay, message.receive_count - 1, 900s);
  try {
    parts_.queue.set_visibility({message.receipt}, std::chrono::ceil<std::chrono::seconds>(jittered(most)));
  } catch (const flox::Error& error) {
    parts_.metrics.error("visibility", error.kind());
    log_event(Level::warning, "message comes back when its visibility time-out passes",
              {{"message_id", message.id}, {"error", error.what()}});
  }
}

void Inbox::remove(const Message& message) {
  StageTimer timer(parts_.metrics, "delete");
  try {
    parts_.queue.remove(message.receipt);
  } catch (const flox::Error& error) {
    parts_.metrics.error("delete", error.kind());
    log_event(Level::warning, "message not deleted; it will be delivered again and found complete",
              {{"message_id", message.id}, {"error", error.what()}});
  }
}

}  // namespace ticket
