#include "ticket/worker/worker.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "ticket/event_log.h"
#include "ticket/worker/back_off.h"

namespace ticket {

using nlohmann::ordered_json;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

// A message with more records than this is processed by itself: nothing is fetched ahead of it that may be
// large.
constexpr size_t most_records_ahead = 16;

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

Worker::Worker(const Settings& settings, const QueueTraits& traits, Parts parts)
    : settings_(settings),
      parts_(parts),
      inbox_(settings, traits,
             {.queue = parts.queue,
              .store = parts.store,
              .metrics = parts.metrics,
              .health = parts.health,
              .stop = parts.stop,
              .counts = counts_}),
      steps_(settings, {.store = parts.store,
                        .table = parts.table,
                        .models = parts.models,
                        .metrics = parts.metrics,
                        .stop = parts.stop,
                        .counts = counts_}),
      scheduler_({.tickets = settings.batch_tickets, .wait = settings.batch_wait}) {}

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
    if (auto messages = inbox_.poll(settings_.poll_wait); !messages) {
      healthy = false;
    } else if (!messages->empty()) {
      inbox_.hold(*messages);
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
    auto messages = inbox_.poll(ahead || !scheduler_.empty() ? 0s : settings_.poll_wait);
    if (!messages) return false;
    queue_has_more_ = !messages->empty();
    if (!queue_has_more_ && scheduler_.empty()) break;
    accept(*std::move(messages));
  }
  return true;
}

// Fetches the tickets of new messages; those that came back are left for their turn.
void Worker::accept(std::vector<Message> messages) {
  inbox_.hold(messages);
  parts_.metrics.in_flight(inbox_.held());
  log_event(Level::debug, "received messages", {{"messages", messages.size()}});
  for (Message& message : messages) {
    if (message.receive_count > 1) {
      set_apart_.push_back(std::move(message));
      continue;
    }
    Delivery delivery = inbox_.open(std::make_shared<const Message>(std::move(message)));
    if (delivery.jobs.size() > most_records_ahead) {
      set_apart_.push_back(*delivery.message);
      continue;
    }
    BatchScheduler::Entry entry{.id = next_id_++,
                                .tickets = std::max<size_t>(1, delivery.jobs.size()),
                                .arrived = steady_clock::now()};
    for (Job& job : delivery.jobs) {
      steps_.fetch(job);
      if (job.ticket) entry.characters += job.ticket->subject.size() + job.ticket->body.size();
    }
    scheduler_.add(entry);
    waiting_.emplace(entry.id, std::move(delivery));
  }
  parts_.metrics.waiting_tickets(scheduler_.tickets());
}

Deliveries Worker::take_batch() {
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
  steps_.enrich(jobs_of(batch));
  if (storing.valid()) storing.get();
  storing = std::async(std::launch::async,
                       [this, batch = std::make_shared<Deliveries>(std::move(batch))] { finish(*batch); });
}

void Worker::finish(Deliveries& batch) {
  std::vector<std::string> to_return;
  for (Delivery& delivery : batch) {
    for (Job& job : delivery.jobs) steps_.store(job);
    inbox_.settle(delivery, to_return);
    parts_.metrics.in_flight(inbox_.held());
  }
  if (!to_return.empty()) inbox_.give_back(to_return);
}

// What was fetched ahead when a stop was requested.
void Worker::give_back_unbegun() {
  std::vector<std::string> receipts;
  for (const auto& [id, delivery] : waiting_) receipts.push_back(delivery.message->receipt);
  for (const Message& message : set_apart_) receipts.push_back(message.receipt);
  waiting_.clear();
  if (!receipts.empty()) inbox_.give_back(receipts);
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
            deliveries.emplace_back(inbox_.open(std::make_shared<const Message>(*message))).jobs.size());
    }
    parts_.metrics.batch_begun(group.front()->receive_count > 1 ? "alone" : "in_turn");
    process_together(deliveries, to_return);
    parts_.metrics.in_flight(left -= group.size());
  }
  if (!to_return.empty()) inbox_.give_back(to_return);
  return counts_.troubles == troubles_before;
}

void Worker::process_together(std::vector<Delivery>& deliveries, std::vector<std::string>& to_return) {
  const std::vector<Job*> jobs = jobs_of(deliveries);
  for (Job* job : jobs) steps_.fetch(*job);
  steps_.enrich(jobs);
  for (Delivery& delivery : deliveries) {
    for (Job& job : delivery.jobs) steps_.store(job);
    inbox_.settle(delivery, to_return);
  }
}

}  // namespace ticket
