#include "ticket/worker/model_loader.h"

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "ticket/environment.h"
#include "ticket/event_log.h"
#include "ticket/model/kernel.h"
#include "ticket/model/model_cache.h"
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

// ".../models--a--b/snapshots/c9745ed1d9f207416be6d2e6f8de32d1f16199bf" -> "b@c9745ed1"; a directory that is
// no snapshot of a commit has its name alone.
std::string version_of(const std::string& id, const fs::path& directory) {
  std::string name = fs::path(id).filename().string();
  if (directory.parent_path().filename() != "snapshots") return name;
  return name + "@" + directory.filename().string().substr(0, 8);
}

template <typename Slot, typename Load>
void fill(Slot& slot, const std::string& id, model::Precision precision, const ModelSettings& settings,
          Metrics& metrics, const Load& load) {
  slot.id = id;
  fs::path directory;
  auto begin = std::chrono::steady_clock::now();
  try {
    directory = model::find_model(id, model::cache_directories(model_cache_dir()));
  } catch (const flox::Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    if (!settings.allow_missing)
      throw flox::Error(error.kind(), error.what(),
                        error.advice() + " Or go without it: --allow-missing-models.");
    metrics.model_missing(id);
    log_event(Level::warning, "a model is missing: tickets go without what it would find",
              {{"model", id}, {"error", error.what()}, {"advice", error.advice()}});
    return;
  }
  slot.model = flox::in_context("loading the model " + id, [&] { return load(directory, precision); });
  slot.version = version_of(id, directory);
  Seconds time = std::chrono::steady_clock::now() - begin;
  metrics.model_loaded(id, time);
  log_event(Level::info, "model loaded",
            {{"model", id},
             {"directory", directory.string()},
             {"precision", to_string(precision)},
             {"cpu_level", model::kernels().level},
             {"milliseconds", std::round(time.count() * 1000)}});
}

}  // namespace

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
  fill(models.embedding, settings.embedding, encoders, settings, metrics,
       [](const fs::path& directory, model::Precision precision) {
         return std::make_unique<LoadedEmbedding>(directory, precision);
       });
  fill(models.sentiment, settings.sentiment, encoders, settings, metrics,
       [](const fs::path& directory, model::Precision precision) {
         return std::make_unique<LoadedSentiment>(directory, precision);
       });
  fill(models.summary, settings.summary, settings.precision, settings, metrics,
       [&](const fs::path& directory, model::Precision precision) {
         return std::make_unique<LoadedSummary>(directory, precision, settings.max_summary_length);
       });
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
