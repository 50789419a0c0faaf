// ticket-generator: fills the raw bucket with made-up tickets.
#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/command_line/program.h"
#include "base/command_line/self_description.h"
#include "ticket/backend/open.h"
#include "ticket/generator/tickets.h"
#include "ticket/package.h"
#include "ticket/stop.h"
#include "ticket/worker/notification.h"
#include "ticket/worker/settings.h"

namespace ticket {
namespace {

struct Options {
  std::string backend;
  long count = 10;
  double rate = 0;
  std::optional<uint32_t> seed;
  bool create_resources = false;
  long visibility = 300;
  std::string dead_letter_queue;
  bool notify = false;
  bool dry_run = false;
  bool json = false;
};

int64_t now_in_seconds() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

// Returns how many were sent: fewer than asked for if a stop was requested.
long send_tickets(const Settings& settings, ObjectStore& store, Queue& queue, const Options& options,
                  uint32_t seed, Stop& stop) {
  TicketMaker maker(seed);
  auto begin = std::chrono::steady_clock::now();
  long sent = 0;
  while (sent < options.count && !stop.requested()) {
    RawTicket ticket = maker.next(now_in_seconds());
    std::string key = ticket.ticket_id + ".json";
    std::string text = to_json(ticket).dump(2);
    store.put(settings.raw_bucket, key, text);
    if (options.notify) queue.send(s3_event(settings.raw_bucket, key, text.size()));
    ++sent;
    if (options.rate <= 0 || sent == options.count) continue;
    auto next = begin + std::chrono::duration<double>(static_cast<double>(sent) / options.rate);
    auto wait =
        std::chrono::duration_cast<std::chrono::milliseconds>(next - std::chrono::steady_clock::now());
    if (wait.count() > 0) stop.sleep(wait);
  }
  return sent;
}

void print_tickets(const Options& options, uint32_t seed) {
  TicketMaker maker(seed);
  for (long i = 0; i < options.count; ++i) fmt::print("{}\n", to_json(maker.next(now_in_seconds())).dump());
}

void summarise(const Settings& settings, const Options& options, uint32_t seed, long sent, double seconds) {
  if (options.json) {
    std::cout << nlohmann::ordered_json{{"sent", sent},
                                        {"bucket", settings.raw_bucket},
                                        {"seed", seed},
                                        {"seconds", seconds},
                                        {"created_resources", options.create_resources}}
              << '\n';
    return;
  }
  if (options.create_resources)
    fmt::print("buckets {} and {}, queue {} and table {} are there\n", settings.raw_bucket,
               settings.enriched_bucket, settings.queue, settings.table);
  std::string ids = sent == 0 ? "" : fmt::format(": DEMO-{0}-1 to DEMO-{0}-{1}", seed, sent);
  fmt::print("sent {} tickets to s3://{} in {:.2f} s{}\n", sent, settings.raw_bucket, seconds, ids);
}

int generate(const Options& options) {
  uint32_t seed = options.seed.value_or(std::random_device{}());
  if (options.dry_run) return print_tickets(options, seed), 0;
  Settings settings = Settings::from_environment();
  Stop stop(std::chrono::seconds(0));
  StopOnSignals signals(stop);
  std::signal(SIGPIPE, SIG_IGN);
  auto stopping = [&stop] { return stop.requested(); };
  auto backend = open_backend(backend_name(options.backend));
  // Where the bucket cannot announce new objects, whoever puts them does.
  bool notify = options.notify || !backend->can_announce();
  auto begin = std::chrono::steady_clock::now();
  if (options.create_resources)
    backend->create({.queue = settings.queue,
                     .raw_bucket = settings.raw_bucket,
                     .enriched_bucket = settings.enriched_bucket,
                     .table = settings.table,
                     .visibility = std::chrono::seconds(options.visibility),
                     .dead_letter_queue = options.dead_letter_queue,
                     .max_receives = settings.max_receives,
                     .announce = !notify},
                    stopping);
  auto store = backend->store(stopping);
  auto queue = backend->queue(settings.queue, stopping);
  long sent = send_tickets(settings, *store, *queue,
                           {.count = options.count, .rate = options.rate, .notify = notify}, seed, stop);
  summarise(settings, options, seed, sent,
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  return sent == options.count ? 0 : flox::exit_failure;
}

int run(int argc, char** argv) {
  CLI::App app(
      "Puts made-up support tickets into the raw bucket, which announces them in the queue.\n"
      "Buckets, queue and table have their names from the same environment variables as ticket-processor's.",
      "ticket-generator");
  app.footer(
      "Examples:\n"
      "  ticket-generator --dry-run --count 3 --seed 1\n"
      "  AWS_ENDPOINT_URL=http://localhost:4566 ticket-generator --create-resources --count 200\n"
      "  ticket-generator --count 1000 --rate 20\n"
      "  ticket-generator --backend local:/var/tickets --create-resources --count 50");
  app.set_version_flag("-V,--version", "ticket-generator " + program_version());
  Options options;
  app.add_option("--backend", options.backend, backend_help);
  app.add_option("--count", options.count, "number of tickets")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--rate", options.rate, "limit for tickets per second (default: 0, none)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", options.seed,
                 "seed: the same one makes the same tickets, with the same ids (default: random)");
  app.add_flag(
      "--create-resources", options.create_resources,
      "create the buckets, the queue, the table and the bucket's notification where they are missing");
  app.add_option("--visibility-timeout", options.visibility,
                 "visibility timeout in seconds of a queue that is created")
      ->check(CLI::Range(0L, 43200L))
      ->capture_default_str();
  app.add_option(
      "--dead-letter-queue", options.dead_letter_queue,
      "with --create-resources: create this queue too; messages that were received MAX_RECEIVES (5) times\n"
      "move there");
  app.add_flag("--notify", options.notify, "send the bucket's event to the queue, for an S3 that does not");
  app.add_flag("--dry-run", options.dry_run, "print the tickets, one per line, and send nothing");
  app.add_flag("--json", options.json, "print the summary as JSON");
  flox::add_self_description(app, {.is_shown = false});
  return flox::run_command_line(app, argc, argv, [&] {
    if (!options.dead_letter_queue.empty() && !options.create_resources)
      flox::fail_usage("ticket-generator: --dead-letter-queue does nothing without --create-resources");
    return generate(options);
  });
}

}  // namespace
}  // namespace ticket

int main(int argc, char** argv) {
  return flox::run_program([&] {
    ticket::apply_package_defaults();
    return ticket::run(argc, argv);
  });
}
