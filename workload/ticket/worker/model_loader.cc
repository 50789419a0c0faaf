#include "ticket/worker/model_loader.h"

#include <chrono>
#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "ticket/environment.h"
#include "ticket/event_log.h"
#include "ticket/model/kernel.h"
#include "ticket/model/model_cache.h"
#include "ticket/model/prepared_models.h"
#include "ticket/model/sentence_encoder.h"
#include "ticket/model/sentiment_classifier.h"
#include "ticket/model/summarizer.h"
#include "ticket/worker/settings.h"

namespace ticket {

namespace fs = std::filesystem;
using flox::ErrorKind;

namespace {

constexpr size_t min_summary_length = 10;

class LoadedEmbedding : public EmbeddingModel {
 public:
  LoadedEmbedding(const fs::path& snapshot, model::Precision precision)
      : encoder_(model::SentenceEncoder::load(snapshot, precision)) {}
  size_t dimension() const override { return encoder_->dimension(); }
  std::vector<std::vector<float>> embed(const std::vector<std::string>& texts) override {
    return encoder_->embed(texts);
  }

 private:
  std::unique_ptr<model::SentenceEncoder> encoder_;
};

class LoadedSentiment : public SentimentModel {
 public:
  LoadedSentiment(const fs::path& snapshot, model::Precision precision)
      : classifier_(model::SentimentClassifier::load(snapshot, precision)) {}
  std::vector<Sentiment> classify(const std::vector<std::string>& texts) override {
    std::vector<Sentiment> results;
    for (model::Sentiment& found : classifier_->classify(texts))
      results.push_back({.label = std::move(found.label), .confidence = found.score});
    return results;
  }

 private:
  std::unique_ptr<model::SentimentClassifier> classifier_;
};

class LoadedSummary : public SummaryModel {
 public:
  LoadedSummary(const fs::path& snapshot, model::Precision precision, size_t max_length)
      : summarizer_(model::Summarizer::load(snapshot, precision)),
        limits_{.min_length = min_summary_length, .max_length = max_length} {}
  std::vector<std::string> summarize(const std::vector<std::string>& texts) override {
    return summarizer_->summarize(texts, limits_);
  }

 private:
  std::unique_ptr<model::Summarizer> summarizer_;
  model::SummaryLimits limits_;
};

// Why prepared models are not taken. Where another one is, that is no news: a volume has those of every
// processor.
void tell_refused(const std::string& id, const std::vector<std::string>& refused, bool found) {
  for (const std::string& reason : refused)
    log_event(found ? Level::debug : Level::warning,
              "a prepared model is refused: the weights are packed in memory",
              {{"model", id}, {"reason", reason}});
}

// Maps what is prepared, or packs what is in the snapshot; whether there was either.
template <typename Slot, typename Load>
bool load_slot(Slot& slot, model::Precision precision, const std::optional<fs::path>& snapshot,
               Metrics& metrics, const Load& load, std::vector<std::string>& refused) {
  const model::WantedModel wanted{.id = slot.id, .precision = precision, .snapshot = snapshot};
  model::PreparedChoice choice = find_prepared(wanted, model::prepared_directories(model_cache_dir()));
  refused = std::move(choice.refused);
  const auto begin = std::chrono::steady_clock::now();
  auto done = [&](const fs::path& directory, bool mapped) {
    const Seconds time = std::chrono::steady_clock::now() - begin;
    metrics.model_loaded(slot.id, time, mapped);
    log_event(Level::info, "model loaded",
              {{"model", slot.id},
               {"directory", directory.string()},
               {"prepared", mapped},
               {"precision", to_string(precision)},
               {"cpu_level", model::kernels().level},
               {"milliseconds", std::round(time.count() * 1000)}});
    return true;
  };
  for (const model::PreparedModel& prepared : choice.usable) {
    const bool mapped = prepared.header.layout.serves(wanted.layout, precision);
    if (!mapped)
      refused.push_back(
          fmt::format("{}: it is prepared for the processor level {}, and this processor has {}",
                      prepared.directory.string(), prepared.header.layout.level, wanted.layout.level));
    try {
      slot.model = load(prepared.directory, precision);
    } catch (const flox::Error& error) {
      refused.push_back(fmt::format("{}: {}", prepared.directory.string(), error.what()));
      continue;
    }
    slot.version = prepared.header.version;
    tell_refused(slot.id, refused, mapped);
    return done(prepared.directory, mapped);
  }
  tell_refused(slot.id, refused, false);
  if (!snapshot) return false;
  slot.model = flox::in_context("loading the model " + slot.id, [&] { return load(*snapshot, precision); });
  slot.version = model_version(slot.id, *snapshot);
  return done(*snapshot, false);
}

template <typename Slot, typename Load>
void fill(Slot& slot, const std::string& id, model::Precision precision, const ModelSettings& settings,
          Metrics& metrics, const Load& load) {
  slot.id = id;
  std::optional<fs::path> snapshot;
  std::optional<flox::Error> missing;
  try {
    snapshot = model::find_model(id, model::cache_directories(model_cache_dir()));
  } catch (const flox::Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    missing = error;
  }
  std::vector<std::string> refused;
  if (load_slot(slot, precision, snapshot, metrics, load, refused)) return;
  std::string problem = missing->what();
  for (const std::string& reason : refused) problem += "\n  " + reason;
  if (!settings.allow_missing)
    throw flox::Error(missing->kind(), problem,
                      missing->advice() + " Or go without it: --allow-missing-models.");
  metrics.model_missing(id);
  log_event(Level::warning, "a model is missing: tickets go without what it would find",
            {{"model", id}, {"error", problem}, {"advice", missing->advice()}});
}

}  // namespace

// ".../models--a--b/snapshots/c9745ed1d9f207416be6d2e6f8de32d1f16199bf" -> "b@c9745ed1"; a directory that is
// no snapshot of a commit has its name alone.
std::string model_version(const std::string& id, const fs::path& directory) {
  std::string name = fs::path(id).filename().string();
  if (directory.parent_path().filename() != "snapshots") return name;
  return name + "@" + directory.filename().string().substr(0, 8);
}

ModelSettings ModelSettings::from_environment() {
  ModelSettings settings;
  settings.embedding = environment_or({"EMBEDDING_MODEL"}, settings.embedding);
  settings.sentiment = environment_or({"CLASSIFIER_MODEL"}, settings.sentiment);
  settings.summary = environment_or({"SUMMARIZER_MODEL"}, settings.summary);
  settings.max_summary_length =
      static_cast<size_t>(environment_number("MAX_SUMMARY_LENGTH", min_summary_length + 1, 1024)
                              .value_or(static_cast<long>(settings.max_summary_length)));
  auto precision = [](const char* name, model::Precision fallback) {
    const auto text = environment(name);
    return !text ? fallback : flox::in_context(std::string("the environment variable ") + name, [&] {
      return model::parse_precision(*text);
    });
  };
  settings.precision = precision("TICKET_PRECISION", settings.precision);
  settings.encoder_precision =
      precision("TICKET_ENCODER_PRECISION", model::encoder_precision(settings.precision));
  settings.allow_missing = environment_flag("TICKET_ALLOW_MISSING_MODELS");
  return settings;
}

Models load_models(const ModelSettings& settings, Metrics& metrics) {
  Models models;
  const model::Precision encoders = settings.encoder_precision;
  // At once: each reads a tokenizer on one thread while the others' weights are packed or compared.
  std::future<void> embedding = std::async(std::launch::async, [&] {
    fill(models.embedding, settings.embedding, encoders, settings, metrics,
         [](const fs::path& directory, model::Precision precision) {
           return std::make_unique<LoadedEmbedding>(directory, precision);
         });
  });
  std::future<void> sentiment = std::async(std::launch::async, [&] {
    fill(models.sentiment, settings.sentiment, encoders, settings, metrics,
         [](const fs::path& directory, model::Precision precision) {
           return std::make_unique<LoadedSentiment>(directory, precision);
         });
  });
  std::future<void> summary = std::async(std::launch::async, [&] {
    fill(models.summary, settings.summary, settings.precision, settings, metrics,
         [&](const fs::path& directory, model::Precision precision) {
           return std::make_unique<LoadedSummary>(directory, precision, settings.max_summary_length);
         });
  });
  for (std::future<void>* loading : {&embedding, &sentiment, &summary}) loading->get();
  // Rounded weights do not make quite the same vectors, labels and summaries.
  if (encoders != model::Precision::fp32) {
    if (models.embedding.model) models.embedding.version += fmt::format("/{}", to_string(encoders));
    if (models.sentiment.model) models.sentiment.version += fmt::format("/{}", to_string(encoders));
  }
  if (models.summary.model && settings.precision == model::Precision::int8_weights)
    models.summary.version += "/int8";
  return models;
}

}  // namespace ticket
