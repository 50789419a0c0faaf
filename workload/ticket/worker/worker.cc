#include "ticket/worker/worker.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "base/error.h"
#include "base/foreign_error.h"
#include "ticket/event_log.h"
#include "ticket/worker/notification.h"

namespace ticket {

using flox::ErrorKind;
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

std::chrono::seconds doubled(std::chrono::seconds base, int times, std::chrono::seconds most) {
  return std::min(most, base * (1L << std::clamp(times, 0, 16)));
}

// Between half of it and all of it, so that workers which failed together do not come back together.
std::chrono::milliseconds jittered(std::chrono::milliseconds time) {
  thread_local std::mt19937 random{std::random_device{}()};
  return std::chrono::milliseconds(
      std::uniform_int_distribution<long>(time.count() / 2, time.count())(random));
}

double rounded(double value, double scale) { return std::round(value * scale) / scale; }

}  // namespace

ordered_json Summary::to_json() const {
  return {{"processed", processed},
          {"duplicates", duplicates},
          {"failed", failed},
          {"returned", returned},
          {"seconds", rounded(seconds, 1000)},
          {"tickets_per_second", seconds > 0 ? rounded(static_cast<double>(processed) / seconds, 100) : 0}};
}

// A message with more records than this is processed by itself: nothing is fetched ahead of it that may be
// large.
constexpr size_t most_records_ahead = 16;

Worker::Worker(const Settings& settings, const QueueTraits& traits, Parts parts)
    : settings_(settings),
      traits_(traits),
      parts_(parts),
      keeper_(parts.queue, settings.visibility.value_or(traits.visibility)),
      enricher_(parts.models, enrichment_events()),
      tickets_(settings, parts.store, parts.table, parts.metrics),
      failed_messages_(parts.store, settings.enriched_bucket),
      scheduler_({.tickets = settings.batch_tickets, .wait = settings.batch_wait}) {}

EnrichmentEvents Worker::enrichment_events() {
  return {.stage_done = [this](const char* stage, Seconds time) { parts_.metrics.stage(stage, time); },
          .fell_back =
              [this](const RawTicket& ticket, const char* field, const flox::Error& error) {
                parts_.metrics.fell_back(field);
                log_event(Level::warning, "a rule stands in for a model that failed",
                          {{"ticket_id", ticket.ticket_id}, {"field", field}, {"error", error.what()}});
              },
          .cancelled = [this] { return parts_.stop.grace_is_over(); }};
}

Summary Worker::run(const Limits& limits) {
  const auto begin = steady_clock::now();
  if (limits.once || limits.max_tickets || !settings_.look_ahead)
    work_in_turn(limits);
  else
    work_ahead(limits);
  const Summary summary{.processed = counts_.processed,
                        .duplicates = counts_.duplicates,
                        .failed = counts_.failed,
                        .returned = counts_.returned,
                        .seconds = std::chrono::duration<double>(steady_clock::now() - begin).count()};
  log_event(Level::info, "stopped", summary.to_json());
  return summary;
}

// One poll after the other, with all that it brings.
void Worker::work_in_turn(const Limits& limits) {
  while (!parts_.stop.requested()) {
    bool healthy = true;
    if (auto messages = poll(settings_.poll_wait); !messages) {
      healthy = false;
    } else if (!messages->empty()) {
      keeper_.hold(*messages);
      healthy = process_batch(*messages, limits);
    } else if (limits.until_empty) {
      break;
    } else if (settings_.poll_wait == 0s && !limits.once) {
      parts_.stop.sleep(1s);  // a short poll returns at once
    }
    if (limits.once || (limits.max_tickets && counts_.processed >= *limits.max_tickets)) break;
    rest(healthy);
  }
}

// While a service is down, tickets wait better in the queue than here.
void Worker::rest(bool healthy) {
  failures_in_a_row_ = healthy ? 0 : failures_in_a_row_ + 1;
  if (!healthy) parts_.stop.sleep(jittered(doubled(1s, failures_in_a_row_ - 1, 30s)));
}

void Worker::work_ahead(const Limits& limits) {
  std::future<void> storing;
  auto stored = [&] {
    if (storing.valid()) storing.get();
  };
  while (!parts_.stop.requested()) {
    const long troubles_before = counts_.troubles;
    bool healthy = true;
    if (scheduler_.empty() && set_apart_.empty()) {
      // The last batch is stored while the queue is asked, but not while nothing is known of its end.
      if (limits.until_empty) stored();
      healthy = gather(false);
      if (healthy && scheduler_.empty() && set_apart_.empty()) {
        if (limits.until_empty) break;
        if (settings_.poll_wait == 0s) parts_.stop.sleep(1s);  // a short poll returns at once
        continue;
      }
    }
    if (!scheduler_.empty()) {
      Deliveries batch = take_batch();
      std::future<bool> ahead;
      if (set_apart_.empty() && !parts_.stop.requested())
        ahead = std::async(std::launch::async, [this] { return gather(true); });
      run_batch(std::move(batch), storing);
      if (ahead.valid()) healthy &= ahead.get();
    }
    if (scheduler_.empty() && !set_apart_.empty() && !parts_.stop.requested()) {
      stored();
      const std::vector<Message> alone = std::exchange(set_apart_, {});
      process_batch(alone, limits);
    }
    rest(healthy && counts_.troubles == troubles_before);
  }
  stored();
  give_back_unbegun();
}

// Asks the queue until a batch is together: what there is at once, for the rules' time, or, ahead, while
// there is more. False if the queue failed.
bool Worker::gather(bool ahead) {
  queue_has_more_ = true;
  while (!parts_.stop.requested() && set_apart_.empty()) {
    if (ahead ? scheduler_.is_full() || !queue_has_more_
              : scheduler_.ready(steady_clock::now(), queue_has_more_).has_value())
      break;
    // Only where nothing else is in hand is there time to wait for what is not there yet.
    auto messages = poll(ahead || !scheduler_.empty() ? 0s : settings_.poll_wait);
    if (!messages) return false;
    queue_has_more_ = !messages->empty();
    if (!queue_has_more_ && scheduler_.empty()) break;
    accept(*std::move(messages));
  }
  return true;
}

// Fetches the tickets of new messages; those that came back are left for their turn.
void Worker::accept(std::vector<Message> messages) {
  keeper_.hold(messages);
  parts_.metrics.in_flight(keeper_.held());
  log_event(Level::debug, "received messages", {{"messages", messages.size()}});
  for (Message& message : messages) {
    if (message.receive_count > 1) {
      set_apart_.push_back(std::move(message));
      continue;
    }
    Delivery delivery = open(std::make_shared<const Message>(std::move(message)));
    if (delivery.jobs.size() > most_records_ahead) {
      set_apart_.push_back(*delivery.message);
      continue;
    }
    BatchScheduler::Entry entry{.id = next_id_++,
                                .tickets = std::max<size_t>(1, delivery.jobs.size()),
                                .arrived = steady_clock::now()};
    for (Job& job : delivery.jobs) {
      fetch(job);
      if (job.ticket) entry.characters += job.ticket->subject.size() + job.ticket->body.size();
    }
    scheduler_.add(entry);
    waiting_.emplace(entry.id, std::move(delivery));
  }
  parts_.metrics.waiting_tickets(scheduler_.tickets());
}

Worker::Deliveries Worker::take_batch() {
  const auto reason =
      scheduler_.ready(steady_clock::now(), queue_has_more_).value_or(BatchScheduler::Reason::drained);
  Deliveries batch;
  for (uint64_t id : scheduler_.take()) batch.push_back(std::move(waiting_.extract(id).mapped()));
  parts_.metrics.batch_begun(to_string(reason));
  parts_.metrics.waiting_tickets(scheduler_.tickets());
  return batch;
}

// Computes it, and has it stored beside the next one's computing.
void Worker::run_batch(Deliveries batch, std::future<void>& storing) {
  std::vector<Job*> jobs;
  for (Delivery& delivery : batch)
    for (Job& job : delivery.jobs) jobs.push_back(&job);
  enrich(jobs);
  if (storing.valid()) storing.get();
  storing = std::async(std::launch::async,
                       [this, batch = std::make_shared<Deliveries>(std::move(batch))] { finish(*batch); });
}

void Worker::finish(Deliveries& batch) {
  std::vector<std::string> to_return;
  for (Delivery& delivery : batch) {
    for (Job& job : delivery.jobs) store(job);
    settle(delivery, to_return);
    parts_.metrics.in_flight(keeper_.held());
  }
  if (!to_return.empty()) give_back(to_return);
}

// What was fetched ahead when a stop was requested.
void Worker::give_back_unbegun() {
  std::vector<std::string> receipts;
  for (const auto& [id, delivery] : waiting_) receipts.push_back(delivery.message->receipt);
  for (const Message& message : set_apart_) receipts.push_back(message.receipt);
  waiting_.clear();
  if (!receipts.empty()) give_back(receipts);
}

std::optional<std::vector<Message>> Worker::poll(std::chrono::seconds wait) {
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

void Worker::look_at_queue(const std::vector<Message>& messages) {
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

// False if a service failed, so that polling should pause. Tickets that cannot be processed are no reason to:
// whoever sent them would slow everybody's down.
bool Worker::process_batch(const std::vector<Message>& messages, const Limits& limits) {
  const long troubles_before = counts_.troubles;
  parts_.metrics.in_flight(messages.size());
  log_event(Level::debug, "process messages in turn", {{"messages", messages.size()}});

  std::vector<std::string> to_return;
  size_t left = messages.size();
  for (const std::vector<const Message*>& group : in_turn(messages)) {
    std::vector<Delivery> deliveries;
    long tickets = counts_.processed;
    for (const Message* message : group) {
      if (limits.max_tickets && tickets >= *limits.max_tickets)
        to_return.push_back(message->receipt);
      else
        tickets += static_cast<long>(
            deliveries.emplace_back(open(std::make_shared<const Message>(*message))).jobs.size());
    }
    parts_.metrics.batch_begun(group.front()->receive_count > 1 ? "alone" : "in_turn");
    process_together(deliveries, to_return);
    parts_.metrics.in_flight(left -= group.size());
  }
  if (!to_return.empty()) give_back(to_return);
  return counts_.troubles == troubles_before;
}

void Worker::process_together(std::vector<Delivery>& deliveries, std::vector<std::string>& to_return) {
  std::vector<Job*> jobs;
  for (Delivery& delivery : deliveries)
    for (Job& job : delivery.jobs) jobs.push_back(&job);
  for (Job* job : jobs) fetch(*job);
  enrich(jobs);
  for (Delivery& delivery : deliveries) {
    for (Job& job : delivery.jobs) store(job);
    settle(delivery, to_return);
  }
}

// Whether its next delivery may be the last one, so that the deaths of workers are counted.
bool Worker::is_suspect(const Message& message) const {
  return !traits_.has_dead_letter_queue &&
         message.receive_count >= std::max(2, settings_.max_receives - deaths_allowed);
}

// False if the message is not to be looked at any more.
bool Worker::begin(Delivery& delivery) {
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

void Worker::reject(Delivery& delivery, const char* reason, const std::string& problem) {
  delivery.outcome = Outcome::rejected;
  delivery.problem = problem;
  ++counts_.failed;
  parts_.metrics.failed(reason);
  log_event(Level::error, "message cannot be processed",
            {{"message_id", delivery.message->id},
             {"receive_count", delivery.message->receive_count},
             {"reason", reason},
             {"error", problem}});
}

Worker::Delivery Worker::open(std::shared_ptr<const Message> owned) {
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

// Runs one step of a job. What it throws becomes the job's outcome, counted and logged.
template <typename Step>
void Worker::attempt(Job& job, const Step& step) {
  if (job.over) return;
  if (parts_.stop.grace_is_over()) return job.end(Outcome::dropped);
  std::string reason;
  try {
    step();
    return;
  } catch (const Rejected& rejected) {
    job.end(Outcome::rejected);
    reason = rejected.reason, job.problem = rejected.problem;
  } catch (const flox::Error& error) {
    if (parts_.stop.grace_is_over()) return job.end(Outcome::dropped);  // its calls were cut off
    // What a service does not accept is the ticket's fault (an item over 400 kB, say); all else may pass.
    bool its_fault = error.kind() == ErrorKind::invalid_input ||
                     (error.kind() == ErrorKind::not_found && job.record.bucket != settings_.raw_bucket);
    job.end(its_fault ? Outcome::rejected : Outcome::failed);
    reason = reason_of(error.kind()), job.problem = error.what();
  } catch (const std::exception& error) {  // memory that is not there, a library's complaint: of this ticket
    job.end(Outcome::rejected);
    reason = reason_of(ErrorKind::internal), job.problem = flox::message_of(error);
  }
  ++counts_.failed;
  if (job.outcome == Outcome::failed) ++counts_.troubles;
  parts_.metrics.failed(reason);
  ordered_json fields = {{"message_id", job.message->id},
                         {"key", job.record.key},
                         {"receive_count", job.message->receive_count},
                         {"reason", reason},
                         {"error", job.problem}};
  if (job.ticket) fields["ticket_id"] = job.ticket->ticket_id;
  log_event(
      Level::error,
      job.outcome == Outcome::rejected ? "ticket cannot be processed" : "ticket failed and is tried again",
      fields);
}

void Worker::fetch(Job& job) {
  attempt(job, [&] {
    if (!job.record.problem.empty()) throw Rejected{"record", job.record.problem};
    job.ticket = tickets_.fetch(job.record.bucket, job.record.key);
    // A worker that had it before may have come as far as the object: no model need run again.
    if (job.message->receive_count > 1)
      if (auto enriched = tickets_.find_enriched(*job.ticket)) job.enriched = std::move(*enriched);
  });
}

void Worker::enrich(std::vector<Job*> jobs) {
  std::erase_if(jobs, [](const Job* job) { return job->over || !job->enriched.is_null(); });
  if (jobs.empty()) return;
  std::vector<RawTicket> tickets;
  for (const Job* job : jobs) tickets.push_back(*job->ticket);
  parts_.metrics.enriched_together(tickets.size());
  std::vector<EnrichedOrError> results = run_models(tickets);
  for (size_t i = 0; i < jobs.size(); ++i)
    attempt(*jobs[i], [&] {
      if (results[i].error) throw *results[i].error;
      jobs[i]->enriched = std::move(results[i].enriched);
    });
}

// All together; where that fails as a whole, each for itself.
std::vector<EnrichedOrError> Worker::run_models(const std::vector<RawTicket>& tickets) {
  std::optional<flox::Error> problem;
  try {
    StageTimer timer(parts_.metrics, "enrich");
    return enricher_.enrich(tickets);
  } catch (const flox::Error& error) {
    problem = error;
  } catch (const std::exception& error) {
    problem = flox::Error(ErrorKind::invalid_input, flox::message_of(error));
  }
  if (tickets.size() == 1) return {{.enriched = {}, .error = problem}};
  std::vector<EnrichedOrError> results;
  for (const RawTicket& ticket : tickets) results.push_back(std::move(run_models({ticket}).front()));
  return results;
}

void Worker::store(Job& job) {
  attempt(job, [&] {
    const std::string& id = job.ticket->ticket_id;
    if (tickets_.store(*job.ticket, std::move(job.enriched))) {
      ++counts_.processed;
      parts_.metrics.processed();
      double milliseconds =
          std::chrono::duration<double, std::milli>(steady_clock::now() - job.begin).count();
      log_event(Level::info, "ticket enriched",
                {{"ticket_id", id}, {"milliseconds", rounded(milliseconds, 100)}});
    } else {
      ++counts_.duplicates;
      parts_.metrics.duplicate();
      log_event(Level::info, "ticket was complete already",
                {{"ticket_id", id}, {"receive_count", job.message->receive_count}});
    }
    job.end(Outcome::done);
  });
}

// Each record stood for itself; the message's outcome is that of its worst record.
void Worker::settle(Delivery& delivery, std::vector<std::string>& to_return) {
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

void Worker::give_back(const std::vector<std::string>& receipts) {
  keeper_.let_go(receipts);
  try {
    parts_.queue.set_visibility(receipts, 0s);
    counts_.returned += static_cast<long>(receipts.size());
    parts_.metrics.returned(receipts.size());
    log_event(Level::info, "returned messages to the queue", {{"messages", receipts.size()}});
  } catch (const flox::Error& error) {
    parts_.metrics.error("visibility", error.kind());
    log_event(Level::warning,
              "messages could not be returned; they come back when their visibility time-out passes",
              {{"messages", receipts.size()}, {"error", error.what()}});
  }
}

bool Worker::move_aside(const Message& message, const std::string& problem) {
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

void Worker::hide_for_retry(const Message& message) {
  auto most = doubled(settings_.retry_delay, message.receive_count - 1, 900s);
  try {
    parts_.queue.set_visibility({message.receipt}, std::chrono::ceil<std::chrono::seconds>(jittered(most)));
  } catch (const flox::Error& error) {
    parts_.metrics.error("visibility", error.kind());
    log_event(Level::warning, "message comes back when its visibility time-out passes",
              {{"message_id", message.id}, {"error", error.what()}});
  }
}

void Worker::remove(const Message& message) {
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
