// ticket-processor: enriches support tickets.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/command_line/program.h"
#include "base/command_line/self_description.h"
#include "base/os/fd.h"
#include "ticket/backend/open.h"
#include "ticket/event_log.h"
#include "ticket/model/model_cache.h"
#include "ticket/model/preload.h"
#include "ticket/package.h"
#include "ticket/pipeline/enriched_ticket.h"
#include "ticket/stop.h"
#include "ticket/worker/model_loader.h"
#include "ticket/worker/model_preparer.h"
#include "ticket/worker/startup.h"
#include "ticket/worker/status_server.h"
#include "ticket/worker/worker.h"

namespace ticket {
namespace {

using flox::ErrorKind;

struct Options {
  std::string backend;
  bool allow_missing_models = false;
  bool json = false;
  Limits limits;
};

ModelSettings model_settings(const Options& options) {
  ModelSettings settings = ModelSettings::from_environment();
  settings.allow_missing = settings.allow_missing || options.allow_missing_models;
  return settings;
}

// The AWS backend's parts belong to others; a directory has nobody else to make them.
std::unique_ptr<Backend> open_backend_of_worker(const std::string& name, const Settings& settings) {
  auto backend = open_backend(name);
  if (name != "aws")
    backend->create({.queue = settings.queue,
                     .raw_bucket = settings.raw_bucket,
                     .enriched_bucket = settings.enriched_bucket,
                     .table = settings.table},
                    nullptr);
  return backend;
}

Summary work(const Options& options, const Settings& settings, const ModelSettings& wanted_models,
             Stop& stop) {
  auto backend = open_backend_of_worker(backend_name(options.backend), settings);
  log_event(Level::info, "starting",
            {{"version", program_version()},
             {"backend", backend->description()},
             {"queue", settings.queue},
             {"raw_bucket", settings.raw_bucket},
             {"enriched_bucket", settings.enriched_bucket},
             {"table", settings.table}});
  Metrics metrics;
  Health health;
  auto server = serve_status(settings.metrics_port, metrics, health);
  Models models = load_models(wanted_models, metrics);
  metrics.build(program_version(), models.version());
  health.models_loaded();

  // Calls at start are cut off as soon as a stop is requested, those about tickets when the grace is over;
  // those about messages never, so that what is in hand can be given back.
  auto stopping = [&stop] { return stop.requested(); };
  auto traits = wait_for_services(settings, *backend->queue(settings.queue, stopping),
                                  *backend->store(stopping), *backend->table(settings.table, stopping), stop);
  if (!traits) {
    log_event(Level::info, "stopped before the services were reached");
    return {};
  }
  health.queue_answered();
  log_event(Level::info, "ready",
            {{"model_version", models.version()},
             {"missing_models", models.missing()},
             {"visibility_seconds", traits->visibility.count()},
             {"dead_letter_queue", traits->has_dead_letter_queue}});
  auto too_late = [&stop] { return stop.grace_is_over(); };
  auto queue = backend->queue(settings.queue, nullptr);
  auto store = backend->store(too_late);
  auto table = backend->table(settings.table, too_late);
  Worker worker(settings, *traits,
                {.queue = *queue,
                 .store = *store,
                 .table = *table,
                 .models = models,
                 .metrics = metrics,
                 .health = health,
                 .stop = stop});
  return worker.run(options.limits);
}

int run_worker(const Options& options) {
  if (options.json) set_log_output(STDERR_FILENO);
  Settings settings = Settings::from_environment();
  ModelSettings models = model_settings(options);
  std::signal(SIGPIPE, SIG_IGN);
  Stop stop(settings.grace);
  StopOnSignals signals(stop);
  try {
    Summary summary = work(options, settings, models, stop);
    if (options.json) std::cout << summary.to_json().dump() << std::endl;
    return 0;
  } catch (const flox::Error& error) {
    // Also where the log is collected, and not only on the terminal.
    log_event(Level::error, "cannot start", {{"error", error.what()}, {"advice", error.advice()}});
    throw;
  }
}

struct PreloadChoice {
  std::vector<std::string> models;  // none: the three that are used
  bool check_content = false;
  bool json = false;
};

int preload_models(const PreloadChoice& choice, const ModelSettings& used) {
  model::PreloadOptions options{.cache = model_cache_dir(), .hub = model::HubSettings::from_environment()};
  options.other_caches = model::cache_directories(options.cache);
  options.models = choice.models;
  options.check_content = choice.check_content;
  options.quiet = choice.json;
  if (options.models.empty()) options.models = {used.embedding, used.sentiment, used.summary};
  if (used.allow_missing)
    std::erase_if(options.models, [&](const std::string& id) {
      model::PreloadOptions one = options;
      one.models = {id};
      try {
        model::preload(one);
        return false;
      } catch (const flox::Error& error) {
        if (error.kind() != ErrorKind::not_found && error.kind() != ErrorKind::unavailable) throw;
        fmt::print(stderr, "going without {}, as TICKET_ALLOW_MISSING_MODELS permits: {}\n", id,
                   error.what());
        return true;
      }
    });
  if (options.models.empty()) return 0;
  return model::preload_command(std::move(options), choice.json);
}

// No more than a byte too many is read, however long the file is or says that it is.
std::string read_at_most(int fd, size_t limit) {
  std::string text(limit + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    size_t got = flox::read_some(fd, text.data() + size, text.size() - size);
    if (got == 0) break;
    size += got;
  }
  text.resize(size);
  return text;
}

RawTicket read_ticket(const std::string& file) {
  std::string text = flox::in_context("reading " + file, [&] {
    if (file == "-") return read_at_most(STDIN_FILENO, TicketLimits::bytes);
    return read_at_most(flox::open_file(file, O_RDONLY).get(), TicketLimits::bytes);
  });
  return flox::in_context(file, [&] { return parse_raw_ticket(text); });
}

int enrich_files(const Options& options, const std::vector<std::string>& files) {
  set_log_output(STDERR_FILENO);
  Metrics metrics;
  Models models = load_models(model_settings(options), metrics);
  Enricher enricher(models,
                    {.fell_back = [](const RawTicket& ticket, const char* field, const flox::Error& error) {
                      log_event(Level::warning, "a rule stands in for a model that failed",
                                {{"ticket_id", ticket.ticket_id}, {"field", field}, {"error", error.what()}});
                    }});
  int failures = 0;
  for (const std::string& file : files) {
    try {
      std::cout << object_text(enricher.enrich(read_ticket(file))) << '\n';
    } catch (const flox::Error& error) {
      flox::print_error(error);
      ++failures;
    }
  }
  return failures == 0 ? 0 : flox::exit_failure;
}

int run(int argc, char** argv) {
  CLI::App app(
      "Enriches support tickets with embeddings, sentiment and summaries.\n"
      "Without a subcommand it is the worker: it takes messages from a queue until it gets SIGTERM or "
      "SIGINT.\n"
      "Settings are environment variables: see docs/reference/ticket-workload.md.",
      "ticket-processor");
  app.footer(
      "Examples:\n"
      "  SQS_QUEUE_NAME=tickets AWS_REGION=eu-central-1 ticket-processor\n"
      "  USE_LOCALSTACK=true ticket-processor --until-empty\n"
      "  ticket-processor --backend local:/var/tickets --until-empty --json\n"
      "  ticket-processor enrich ticket.json | jq .enrichment\n"
      "  MODEL_CACHE_DIR=/cache/models ticket-processor preload-models");
  app.set_version_flag("-V,--version", "ticket-processor " + program_version());
  Options options;
  app.add_option("--backend", options.backend, backend_help);
  app.add_flag("--once", options.limits.once, "stop after one poll and its messages");
  app.add_flag("--until-empty", options.limits.until_empty, "stop after a poll without messages");
  app.add_option("--max-tickets", options.limits.max_tickets,
                 "stop after this many tickets; the others return to the queue (default: no limit)")
      ->check(CLI::PositiveNumber);
  app.add_flag("--json", options.json, "print a summary as JSON at the end; the log goes to stderr");
  auto add_allow_missing = [&](CLI::App& to, const char* help) {
    to.add_flag("--allow-missing-models", options.allow_missing_models, help);
  };
  constexpr const char* without =
      "go without models that are not in the cache: their fields are absent, and every ticket names the\n"
      "missing models (TICKET_ALLOW_MISSING_MODELS=true)";
  add_allow_missing(app, without);
  PreloadChoice preload;
  auto* preload_command =
      app.add_subcommand("preload-models", "Fetch the missing files of the models from the Hugging Face Hub");
  preload_command->add_option(
      "MODEL", preload.models,
      "ids on the Hub (default: EMBEDDING_MODEL, CLASSIFIER_MODEL, SUMMARIZER_MODEL)");
  preload_command->add_flag("--check-content", preload.check_content,
                            "compare hashes of files that are there already, not only sizes");
  preload_command->add_flag("--json", preload.json, "print the result as JSON, and no progress");
  add_allow_missing(*preload_command,
                    "print which models are not available, and succeed (TICKET_ALLOW_MISSING_MODELS=true)");
  preload_command->footer(
      "The files go to MODEL_CACHE_DIR.\n\nExample:\n  MODEL_CACHE_DIR=/cache/models ticket-processor "
      "preload-models");
  PrepareChoice prepared;
  auto* prepare_command = app.add_subcommand(
      "prepare-models",
      "Write the models' weights as files that workers map: ready at once, one copy for all");
  prepare_command->add_option("--to", prepared.directory,
                              "directory to write to (default: prepared/ in MODEL_CACHE_DIR)");
  prepare_command->add_option(
      "--level", prepared.levels,
      "processor level that they are for, more than once for several (default: this processor's)");
  prepare_command->add_flag("--json", prepared.json, "print the result as JSON");
  add_allow_missing(
      *prepare_command,
      "print which models are not in the cache, and succeed (TICKET_ALLOW_MISSING_MODELS=true)");
  prepare_command->footer(
      "Models and precisions are those of the worker's settings. What is prepared already is checked, and "
      "written "
      "again if it is damaged.\n\nExample:\n  MODEL_CACHE_DIR=/cache/models ticket-processor "
      "prepare-models\n  "
      "ticket-processor prepare-models --to share/ticket-models --level x86-64-v3 --level x86-64-v4");
  std::vector<std::string> files;
  auto* enrich_command = app.add_subcommand("enrich", "Print the enriched form of tickets in files");
  add_allow_missing(*enrich_command, without);
  enrich_command->footer("Example:\n  ticket-processor enrich ticket.json | jq .enrichment");
  enrich_command->add_option("FILE", files, "raw tickets (JSON); - for standard input")->required();
  flox::add_self_description(app, {.is_shown = false});
  return flox::run_command_line(app, argc, argv, [&] {
    if (app.got_subcommand("preload-models")) return preload_models(preload, model_settings(options));
    if (app.got_subcommand("prepare-models")) return prepare_models(prepared, model_settings(options));
    if (app.got_subcommand("enrich")) return enrich_files(options, files);
    return run_worker(options);
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
