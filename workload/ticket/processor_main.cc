// ticket-processor: enriches support tickets.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/http_server.h"
#include "ticket/aws/dynamodb.h"
#include "ticket/aws/s3.h"
#include "ticket/aws/sqs.h"
#include "ticket/environment.h"
#include "ticket/event_log.h"
#include "ticket/model/model_cache.h"
#include "ticket/model/preload.h"
#include "ticket/pipeline/enriched_ticket.h"
#include "ticket/stop.h"
#include "ticket/version.h"
#include "ticket/worker/startup.h"
#include "ticket/worker/worker.h"

namespace ticket {
namespace {

using flox::ErrorKind;

// /metrics, /healthz and /readyz; none, with a warning, if the port is taken: tickets matter more than
// figures.
std::unique_ptr<flox::HttpServer> serve(const Settings& settings, const Metrics& metrics,
                                        const std::atomic<bool>& ready) {
  auto handler = [&](const flox::ServerRequest& request) -> flox::ServerResponse {
    if (request.path == "/metrics")
      return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics.text()};
    if (request.path == "/healthz") return {.body = "ok\n"};
    if (request.path == "/readyz")
      return ready
                 ? flox::ServerResponse{.body = "ready\n"}
                 : flox::ServerResponse{.status = 503, .body = "not ready: the queue was not reached yet\n"};
    return {.status = 404, .body = "known here: /metrics, /healthz, /readyz\n"};
  };
  try {
    auto server = std::make_unique<flox::HttpServer>(
        flox::HttpServerOptions{.address = "0.0.0.0", .port = settings.metrics_port, .threads = 1}, handler);
    log_event(Level::info, "serving metrics", {{"port", server->port()}});
    return server;
  } catch (const flox::Error& error) {
    log_event(Level::warning, "no metrics are served",
              {{"error", error.what()}, {"advice", "METRICS_PORT chooses another port"}});
    return nullptr;
  }
}

int work(const Limits& limits) {
  Settings settings = Settings::from_environment();
  std::signal(SIGPIPE, SIG_IGN);
  Stop stop(settings.grace);
  StopOnSignals signals(stop);
  log_event(Level::info, "starting",
            {{"version", program_version()},
             {"model_version", rules_version},
             {"queue", settings.queue},
             {"raw_bucket", settings.raw_bucket},
             {"enriched_bucket", settings.enriched_bucket},
             {"table", settings.table},
             {"region", settings.aws.region},
             {"endpoint", settings.aws.endpoint.empty() ? "AWS" : settings.aws.endpoint}});
  Metrics metrics(program_version());
  std::atomic<bool> ready = false;
  auto server = serve(settings, metrics, ready);

  // Calls about messages are never cut off, so that what is in hand can be given back; those about tickets
  // are when the grace is over; those at start as soon as a stop is requested.
  aws::Client client(settings.aws);
  aws::SqsQueue queue(client, settings.queue);
  {
    aws::Client patient = client.with_cancel([&stop] { return stop.requested(); });
    aws::SqsQueue first_queue(patient, settings.queue);
    aws::S3Store store(patient);
    aws::DynamoTable table(patient, settings.table);
    auto traits = wait_for_services(settings, first_queue, store, table, stop);
    if (!traits) {
      log_event(Level::info, "stopped before the services were reached");
      return 0;
    }
    ready = true;
    log_event(Level::info, "ready",
              {{"visibility_seconds", traits->visibility.count()},
               {"dead_letter_queue", traits->has_dead_letter_queue}});
    aws::Client within_grace = client.with_cancel([&stop] { return stop.grace_is_over(); });
    aws::S3Store work_store(within_grace);
    aws::DynamoTable work_table(within_grace, settings.table);
    Worker worker(
        settings, *traits,
        {.queue = queue, .store = work_store, .table = work_table, .metrics = metrics, .stop = stop});
    worker.run(limits);
  }
  return 0;
}

int preload_models(const std::vector<std::string>& models, bool check_content, bool json) {
  model::PreloadOptions options{.cache = model_cache_dir(), .hub = model::HubSettings::from_environment()};
  options.other_caches = model::cache_directories(options.cache);
  options.models = models;
  options.check_content = check_content;
  if (models.empty())
    options.models = {environment_or({"EMBEDDING_MODEL"}, "sentence-transformers/all-MiniLM-L6-v2"),
                      environment_or({"CLASSIFIER_MODEL"}, "distilbert-base-uncased-finetuned-sst-2-english"),
                      environment_or({"SUMMARIZER_MODEL"}, "sshleifer/distilbart-cnn-6-6")};
  return model::preload_command(std::move(options), json);
}

int enrich_files(const std::vector<std::string>& files) {
  int failures = 0;
  for (const std::string& file : files) {
    try {
      std::string text = flox::in_context("reading " + file, [&] {
        return file == "-" ? std::string(std::istreambuf_iterator<char>(std::cin), {})
                           : flox::read_file(file);
      });
      RawTicket ticket = flox::in_context(file, [&] { return parse_raw_ticket(text); });
      std::cout << object_text(enrich(ticket, std::chrono::system_clock::now())) << '\n';
    } catch (const flox::Error& error) {
      flox::print_error(error);
      ++failures;
    }
  }
  return failures == 0 ? 0 : flox::exit_failure;
}

int run(int argc, char** argv) {
  CLI::App app(
      "Enriches support tickets: takes messages from an SQS queue, reads the raw tickets they name from S3, "
      "and\n"
      "stores the enriched tickets in S3 and DynamoDB. Without a subcommand it is the worker and runs until "
      "it\n"
      "gets SIGTERM or SIGINT. Settings are environment variables: see docs/ticket-workload.md.",
      "ticket-processor");
  app.footer(
      "Examples:\n"
      "  SQS_QUEUE_NAME=tickets AWS_REGION=eu-central-1 ticket-processor\n"
      "  USE_LOCALSTACK=true ticket-processor --until-empty\n"
      "  ticket-processor enrich ticket.json | jq .enrichment\n"
      "  MODEL_CACHE_DIR=/cache/models ticket-processor preload-models");
  app.set_version_flag("--version", "ticket-processor " + program_version());
  Limits limits;
  app.add_flag("--once", limits.once, "Stop after one poll and its messages");
  app.add_flag("--until-empty", limits.until_empty, "Stop after a poll that brought nothing");
  app.add_option("--max-tickets", limits.max_tickets,
                 "Stop after this many tickets; the rest goes back to the queue")
      ->check(CLI::PositiveNumber);
  std::vector<std::string> models;
  bool check_content = false, json = false;
  auto* preload_command = app.add_subcommand(
      "preload-models",
      "Fetch the models' files from the Hugging Face Hub into MODEL_CACHE_DIR; what is there "
      "already is not fetched again");
  preload_command->add_option(
      "MODEL", models, "Ids on the Hub (default: EMBEDDING_MODEL, CLASSIFIER_MODEL, SUMMARIZER_MODEL)");
  preload_command->add_flag("--check-content", check_content,
                            "Compare the hashes of files that are there already, not only their sizes");
  preload_command->add_flag("--json", json, "Print the result as JSON, and no progress");
  std::vector<std::string> files;
  auto* enrich_command = app.add_subcommand("enrich", "Print the enriched form of tickets on disk");
  enrich_command->add_option("FILE", files, "Raw tickets (JSON); - for standard input")->required();
  CLI11_PARSE(app, argc, argv);
  if (app.got_subcommand("preload-models")) return preload_models(models, check_content, json);
  if (app.got_subcommand("enrich")) return enrich_files(files);
  return work(limits);
}

}  // namespace
}  // namespace ticket

int main(int argc, char** argv) {
  try {
    return ticket::run(argc, argv);
  } catch (const std::exception& error) {
    flox::print_error(error);
    return flox::exit_failure;
  }
}
