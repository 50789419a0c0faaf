#include "ticket/worker/worker.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/http_client.h"
#include "ticket/event_log.h"
#include "ticket/pipeline/enriched_ticket.h"
#include "ticket/version.h"
#include "ticket/worker/notification.h"

namespace ticket {

using flox::ErrorKind;
using nlohmann::ordered_json;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

constexpr size_t max_raw_bytes = 4 * 1024 * 1024;

// A long poll is cut off this long after a request to stop: messages in an answer that nobody reads would
// stay hidden for the whole visibility time-out, while those that arrive can be finished or given back.
constexpr auto answer_on_its_way = 500ms;

// Content that can never be processed; `reason` is the metric's label.
struct Rejected {
  std::string reason;
  std::string problem;
};

// What a failure says about itself in metrics.
const char* reason_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::not_found:
      return "missing_resource";
    case ErrorKind::untrusted:
      return "access_denied";
    case ErrorKind::unavailable:
      return "unavailable";
    case ErrorKind::conflict:
      return "conflict";
    case ErrorKind::invalid_input:
      return "refused";
    case ErrorKind::internal:
      return "internal";
  }
  return "internal";
}

std::chrono::seconds doubled(std::chrono::seconds base, int times, std::chrono::seconds most) {
  return std::min(most, base * (1L << std::clamp(times, 0, 16)));
}

}  // namespace

Worker::Worker(const Settings& settings, const QueueTraits& traits, Parts parts)
    : settings_(settings),
      traits_(traits),
      parts_(parts),
      keeper_(parts.queue, settings.visibility.value_or(traits.visibility)) {}

Summary Worker::run(const Limits& limits) {
  auto begin = steady_clock::now();
  int failures_in_a_row = 0;
  while (!parts_.stop.requested()) {
    bool healthy = true;
    if (auto messages = poll(); !messages) {
      healthy = false;
    } else if (!messages->empty()) {
      healthy = process_batch(*messages, limits);
    } else if (limits.until_empty) {
      break;
    } else if (settings_.poll_wait == 0s && !limits.once) {
      parts_.stop.sleep(1s);  // a short poll returns at once
    }
    if (limits.once || (limits.max_tickets && summary_.processed >= *limits.max_tickets)) break;
    // While a service is down, tickets wait better in the queue than here.
    failures_in_a_row = healthy ? 0 : failures_in_a_row + 1;
    if (!healthy) parts_.stop.sleep(doubled(1s, failures_in_a_row - 1, 30s));
  }
  double seconds = std::chrono::duration<double>(steady_clock::now() - begin).count();
  log_event(Level::info, "stopped",
            {{"processed", summary_.processed},
             {"duplicates", summary_.duplicates},
             {"failed", summary_.failed},
             {"returned", summary_.returned},
             {"seconds", std::round(seconds * 1000) / 1000},
             {"tickets_per_second",
              seconds > 0 ? std::round(100 * static_cast<double>(summary_.processed) / seconds) / 100 : 0}});
  return summary_;
}

std::optional<std::vector<Message>> Worker::poll() {
  auto begin = steady_clock::now();
  try {
    auto messages = parts_.queue.receive(settings_.max_messages, settings_.poll_wait, settings_.visibility,
                                         [this] { return parts_.stop.requested_since(answer_on_its_way); });
    parts_.metrics.poll(steady_clock::now() - begin);
    parts_.metrics.batch(messages.size());
    return messages;
  } catch (const flox::Error& error) {
    if (!parts_.stop.requested())
      log_event(Level::error, "polling the queue failed",
                {{"queue", settings_.queue}, {"error", error.what()}});
    return std::nullopt;
  }
}

// False if a service failed, so that polling should pause.
bool Worker::process_batch(const std::vector<Message>& messages, const Limits& limits) {
  long failed_before = summary_.failed;
  keeper_.hold(messages);
  parts_.metrics.in_flight(messages.size());
  log_event(Level::debug, "received messages", {{"messages", messages.size()}});
  std::vector<std::string> to_return;
  size_t left = messages.size();
  for (const Message& message : messages) {
    bool enough = limits.max_tickets && summary_.processed >= *limits.max_tickets;
    if (enough || parts_.stop.grace_is_over())
      to_return.push_back(message.receipt);
    else
      process_message(message, to_return);
    parts_.metrics.in_flight(--left);
  }
  if (!to_return.empty()) {
    keeper_.let_go(to_return);
    try {
      parts_.queue.set_visibility(to_return, 0s);
      summary_.returned += static_cast<long>(to_return.size());
      log_event(Level::info, "returned messages to the queue", {{"messages", to_return.size()}});
    } catch (const flox::Error& error) {
      log_event(Level::warning,
                "messages could not be returned; they come back when their visibility time-out passes",
                {{"messages", to_return.size()}, {"error", error.what()}});
    }
  }
  return summary_.failed == failed_before;
}

void Worker::process_message(const Message& message, std::vector<std::string>& to_return) {
  if (message.receive_count == 1 && message.sent_at)
    parts_.metrics.queue_age(std::chrono::system_clock::now() - *message.sent_at);
  std::string problem;
  Outcome outcome = process_records(message, problem);
  if (outcome == Outcome::rejected && !traits_.has_dead_letter_queue &&
      message.receive_count >= settings_.max_receives && move_aside(message, problem))
    outcome = Outcome::done;
  if (outcome == Outcome::dropped) {
    to_return.push_back(message.receipt);
    return;
  }
  keeper_.let_go({message.receipt});
  if (outcome == Outcome::done)
    remove(message);
  else
    hide_for_retry(message);
}

// Each record stands for itself; the message's outcome is that of its worst record.
Worker::Outcome Worker::process_records(const Message& message, std::string& problem) {
  Notification notification;
  try {
    notification = parse_notification(message.body, settings_.raw_bucket);
  } catch (const flox::Error& error) {
    problem = error.what();
    ++summary_.failed;
    parts_.metrics.failed("message");
    log_event(Level::error, "message cannot be processed",
              {{"message_id", message.id},
               {"receive_count", message.receive_count},
               {"reason", "message"},
               {"error", problem}});
    return Outcome::rejected;
  }
  if (notification.records.empty()) {
    parts_.metrics.ignored();
    log_event(Level::info, "message asks for nothing and is deleted",
              {{"message_id", message.id}, {"reason", notification.ignored}});
    return Outcome::done;
  }
  Outcome worst = Outcome::done;
  for (const Record& record : notification.records) {
    if (parts_.stop.grace_is_over()) return Outcome::dropped;
    Outcome outcome = Outcome::rejected;
    std::string record_problem = record.problem;
    if (record.problem.empty()) {
      outcome = process_ticket(message, record.bucket, record.key, record_problem);
    } else {
      ++summary_.failed;
      parts_.metrics.failed("record");
      log_event(Level::error, "record cannot be processed",
                {{"message_id", message.id},
                 {"receive_count", message.receive_count},
                 {"reason", "record"},
                 {"error", record.problem}});
    }
    if (!record_problem.empty()) problem += (problem.empty() ? "" : "\n") + record_problem;
    worst = std::max(worst, outcome);
  }
  return worst;
}

Worker::Outcome Worker::process_ticket(const Message& message, const std::string& bucket,
                                       const std::string& key, std::string& problem) {
  auto begin = steady_clock::now();
  std::string ticket_id;
  std::string reason;
  Outcome outcome = Outcome::done;
  try {
    std::optional<std::string> text;
    {
      StageTimer timer(parts_.metrics, "fetch");
      text = parts_.store.get(bucket, key, max_raw_bytes);
    }
    if (!text) throw Rejected{"object_missing", fmt::format("s3://{}/{} does not exist", bucket, key)};
    RawTicket ticket;
    try {
      ticket = parse_raw_ticket(*text);
    } catch (const flox::Error& error) {
      throw Rejected{"schema", fmt::format("s3://{}/{}: {}", bucket, key, error.what())};
    }
    ticket_id = ticket.ticket_id;
    if (store(ticket)) {
      ++summary_.processed;
      parts_.metrics.processed();
      double milliseconds = std::chrono::duration<double, std::milli>(steady_clock::now() - begin).count();
      log_event(Level::info, "ticket enriched",
                {{"ticket_id", ticket_id}, {"milliseconds", std::round(milliseconds * 100) / 100}});
    } else {
      ++summary_.duplicates;
      parts_.metrics.duplicate();
      log_event(Level::info, "ticket was complete already",
                {{"ticket_id", ticket_id}, {"receive_count", message.receive_count}});
    }
    return Outcome::done;
  } catch (const Rejected& rejected) {
    outcome = Outcome::rejected, reason = rejected.reason, problem = rejected.problem;
  } catch (const flox::Error& error) {
    if (parts_.stop.grace_is_over()) return Outcome::dropped;  // its calls were cut off
    // What a service does not accept is the ticket's fault (an item over 400 kB, say); all else may pass.
    bool its_fault = error.kind() == ErrorKind::invalid_input ||
                     (error.kind() == ErrorKind::not_found && bucket != settings_.raw_bucket);
    outcome = its_fault ? Outcome::rejected : Outcome::failed, reason = reason_of(error.kind()),
    problem = error.what();
  }
  ++summary_.failed;
  parts_.metrics.failed(reason);
  ordered_json fields = {{"message_id", message.id},
                         {"key", key},
                         {"receive_count", message.receive_count},
                         {"reason", reason},
                         {"error", problem}};
  if (!ticket_id.empty()) fields["ticket_id"] = ticket_id;
  log_event(Level::error,
            outcome == Outcome::rejected ? "ticket cannot be processed" : "ticket failed and is tried again",
            fields);
  return outcome;
}

bool Worker::store(const RawTicket& ticket) {
  ordered_json enriched;
  {
    StageTimer timer(parts_.metrics, "enrich");
    enriched = enrich(ticket, std::chrono::system_clock::now());
  }
  const std::string key = object_key(ticket.ticket_id);
  {
    StageTimer timer(parts_.metrics, "store_object");
    const std::string text = object_text(enriched);
    if (!parts_.store.put_if_absent(settings_.enriched_bucket, key, text)) {
      auto existing = parts_.store.get(settings_.enriched_bucket, key, 8 * max_raw_bytes);
      switch (existing ? read_existing(*existing, ticket, enriched) : Existing::unreadable) {
        case Existing::same_ticket:
          break;
        case Existing::other_ticket:
          throw Rejected{
              "id_conflict",
              fmt::format(
                  "s3://{}/{} holds another ticket of that id (created_at differs); it is not replaced",
                  settings_.enriched_bucket, key)};
        case Existing::unreadable:
          log_event(Level::warning, "replacing an object that is no enriched ticket",
                    {{"ticket_id", ticket.ticket_id}, {"key", key}});
          parts_.store.put(settings_.enriched_bucket, key, text);
      }
    }
  }
  StageTimer timer(parts_.metrics, "store_item");
  return parts_.table.put_if_absent(table_item(enriched));
}

bool Worker::move_aside(const Message& message, const std::string& problem) {
  std::string key = "failed/" + flox::url_encode(message.id) + ".json";
  ordered_json record = {{"message_id", message.id},
                         {"receive_count", message.receive_count},
                         {"error", problem},
                         {"body", message.body},
                         {"processor_version", program_version()}};
  try {
    parts_.store.put(settings_.enriched_bucket, key,
                     record.dump(2, ' ', false, ordered_json::error_handler_t::replace));
  } catch (const flox::Error& error) {
    log_event(Level::error, "message could not be moved aside",
              {{"message_id", message.id}, {"error", error.what()}});
    return false;
  }
  parts_.metrics.moved_aside();
  log_event(Level::warning, "message moved aside",
            {{"message_id", message.id},
             {"kept_as", "s3://" + settings_.enriched_bucket + "/" + key},
             {"error", problem}});
  return true;
}

void Worker::hide_for_retry(const Message& message) {
  try {
    parts_.queue.set_visibility({message.receipt},
                                doubled(settings_.retry_delay, message.receive_count - 1, 900s));
  } catch (const flox::Error& error) {
    log_event(Level::warning, "message comes back when its visibility time-out passes",
              {{"message_id", message.id}, {"error", error.what()}});
  }
}

void Worker::remove(const Message& message) {
  StageTimer timer(parts_.metrics, "delete");
  try {
    parts_.queue.remove(message.receipt);
  } catch (const flox::Error& error) {
    log_event(Level::warning, "message not deleted; it will be delivered again and found complete",
              {{"message_id", message.id}, {"error", error.what()}});
  }
}

}  // namespace ticket
