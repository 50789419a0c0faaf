#include "ticket/worker/model_loader.h"

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "ticket/environment.h"
#include "ticket/event_log.h"

namespace ticket {

using flox::ErrorKind;

namespace {

// Interim: until the model library is merged there is none to be found.
std::filesystem::path find_model(const std::string&) {
  throw flox::Error(
      ErrorKind::not_found, "it is not on this machine",
      "Fill the cache with: ticket-processor preload-models. Or go without: --allow-missing-models.");
}

template <typename Slot, typename Load>
void fill(Slot& slot, const std::string& id, const ModelSettings& settings, Metrics& metrics,
          const Load& load) {
  slot.id = id;
  std::filesystem::path directory;
  auto begin = std::chrono::steady_clock::now();
  try {
    directory = flox::in_context("looking for the model " + id, [&] { return find_model(id); });
  } catch (const flox::Error& error) {
    if (error.kind() != ErrorKind::not_found || !settings.allow_missing) throw;
    metrics.model_missing(id);
    log_event(Level::warning, "a model is missing: tickets go without what it would find",
              {{"model", id}, {"error", error.what()}, {"advice", error.advice()}});
    return;
  }
  slot.model = load(directory);
  Seconds time = std::chrono::steady_clock::now() - begin;
  metrics.model_loaded(id, time);
}

}  // namespace

ModelSettings ModelSettings::from_environment() {
  ModelSettings settings;
  settings.embedding = environment_or({"EMBEDDING_MODEL"}, settings.embedding);
  settings.sentiment = environment_or({"CLASSIFIER_MODEL"}, settings.sentiment);
  settings.summary = environment_or({"SUMMARIZER_MODEL"}, settings.summary);
  settings.max_summary_length =
      static_cast<size_t>(environment_number("MAX_SUMMARY_LENGTH", 11, 1024)
                              .value_or(static_cast<long>(settings.max_summary_length)));
  settings.precision = environment_or({"TICKET_PRECISION"}, settings.precision);
  settings.allow_missing = environment_flag("TICKET_ALLOW_MISSING_MODELS");
  return settings;
}

Models load_models(const ModelSettings& settings, Metrics& metrics) {
  Models models;
  fill(models.embedding, settings.embedding, settings, metrics, [](auto&) { return nullptr; });
  fill(models.sentiment, settings.sentiment, settings, metrics, [](auto&) { return nullptr; });
  fill(models.summary, settings.summary, settings, metrics, [](auto&) { return nullptr; });
  return models;
}

}  // namespace ticket
