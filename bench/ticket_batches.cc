// Tickets a second of one worker whose services answer after a while: one poll after the other, and looking
// ahead.
//
//   ticket_batches COUNT LATENCY_MS MOST_MESSAGES      models and TICKET_* settings from the environment, as
//   ticket-processor
//
// Queue, objects and table are in memory; each call takes LATENCY_MS. Prints one line of JSON.
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "ticket/event_log.h"
#include "ticket/generator/tickets.h"
#include "ticket/testing/fake_backend.h"
#include "ticket/worker/model_loader.h"
#include "ticket/worker/notification.h"
#include "ticket/worker/worker.h"

namespace ticket {
namespace {

std::chrono::milliseconds latency;

void answer_late() { std::this_thread::sleep_for(latency); }

class LateQueue : public FakeQueue {
 public:
  std::vector<Message> receive(int most, std::chrono::seconds wait,
                               std::optional<std::chrono::seconds> visibility,
                               const CancelCheck& cancelled) override {
    answer_late();
    return FakeQueue::receive(most, wait, visibility, cancelled);
  }
  void remove(const std::string& receipt) override { answer_late(), FakeQueue::remove(receipt); }
};
class LateObjects : public FakeObjects {
 public:
  std::optional<std::string> get(const std::string& bucket, const std::string& key, size_t limit) override {
    answer_late();
    return FakeObjects::get(bucket, key, limit);
  }
  bool put_if_absent(const std::string& bucket, const std::string& key, const std::string& content) override {
    answer_late();
    return FakeObjects::put_if_absent(bucket, key, content);
  }
};
class LateTable : public FakeTable {
 public:
  bool put_if_absent(const nlohmann::ordered_json& item) override {
    answer_late();
    return FakeTable::put_if_absent(item);
  }
};

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

void run(int count, int most_messages) {
  LateQueue queue;
  LateObjects objects;
  LateTable table;
  TicketMaker maker(1);
  for (int i = 0; i < count; ++i) {
    const RawTicket ticket = maker.next(1732060800);
    const std::string key = ticket.ticket_id + ".json";
    objects.put("tickets-raw", key, to_json(ticket).dump());
    queue.send(s3_event("tickets-raw", key, 1));
  }
  Settings settings = Settings::from_environment();
  settings.max_messages = most_messages;
  settings.poll_wait = std::chrono::seconds(0);
  Metrics metrics;
  Health health;
  Stop stop(std::chrono::seconds(0));
  Models models = load_models(ModelSettings::from_environment(), metrics);
  Worker worker(settings, {},
                {.queue = queue,
                 .store = objects,
                 .table = table,
                 .models = models,
                 .metrics = metrics,
                 .health = health,
                 .stop = stop});
  const double before = processor_seconds();
  const Summary summary = worker.run({.until_empty = true});
  const double used = processor_seconds() - before;
  std::cout << nlohmann::json{{"tickets", summary.processed},
                              {"seconds", summary.seconds},
                              {"tickets_per_second",
                               static_cast<double>(summary.processed) / summary.seconds},
                              {"processors_busy", used / summary.seconds}}
            << std::endl;
}

}  // namespace
}  // namespace ticket

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: ticket_batches COUNT LATENCY_MS MOST_MESSAGES\n";
    return 2;
  }
  try {
    ticket::set_log_level(ticket::Level::error);
    ticket::latency = std::chrono::milliseconds(std::atoi(argv[2]));
    ticket::run(std::atoi(argv[1]), std::atoi(argv[3]));
    return 0;
  } catch (const std::exception& error) {
    flox::print_error(error);
    return 1;
  }
}
