#include "ticket/worker/model_preparer.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "ticket/model/model_cache.h"
#include "ticket/model/prepare.h"
#include "ticket/model/sentence_encoder.h"
#include "ticket/model/sentiment_classifier.h"
#include "ticket/model/summarizer.h"
#include "ticket/worker/settings.h"

namespace ticket {

namespace fs = std::filesystem;
using flox::ErrorKind;
using nlohmann::ordered_json;

namespace {

std::vector<model::WeightLayout> layouts_of(const std::vector<std::string>& levels) {
  if (levels.empty()) return {model::WeightLayout::of(model::kernels())};
  std::vector<model::WeightLayout> layouts;
  for (const std::string& level : levels) {
    std::string known;
    for (const model::Kernels* kernels : model::known_kernels()) {
      if (level == kernels->level) layouts.push_back(model::WeightLayout::of(*kernels));
      known += (known.empty() ? "" : ", ") + std::string(kernels->level);
    }
    if (layouts.empty() || layouts.back().level != level)
      flox::fail(ErrorKind::invalid_input, "the processor level \"{}\" is not known; this program has {}",
                 level, known);
  }
  return layouts;
}

struct Wanted {
  std::string id;
  model::Precision precision;
  std::function<std::shared_ptr<void>(const fs::path&, model::Precision, const model::Packing&)> load;
};

std::vector<Wanted> wanted_models(const ModelSettings& settings) {
  return {{settings.embedding, settings.encoder_precision,
           [](const fs::path& snapshot, model::Precision precision, const model::Packing& packing) {
             return std::shared_ptr<void>(model::SentenceEncoder::load(snapshot, precision, packing));
           }},
          {settings.sentiment, settings.encoder_precision,
           [](const fs::path& snapshot, model::Precision precision, const model::Packing& packing) {
             return std::shared_ptr<void>(model::SentimentClassifier::load(snapshot, precision, packing));
           }},
          {settings.summary, settings.precision,
           [](const fs::path& snapshot, model::Precision precision, const model::Packing& packing) {
             return std::shared_ptr<void>(model::Summarizer::load(snapshot, precision, packing));
           }}};
}

// Nothing if it is missing and may be.
std::optional<fs::path> snapshot_of_model(const std::string& id, bool allow_missing) {
  try {
    return model::find_model(id, model::cache_directories(model_cache_dir()));
  } catch (const flox::Error& error) {
    if (error.kind() != ErrorKind::not_found || !allow_missing) throw;
    fmt::print(stderr, "going without {}, as TICKET_ALLOW_MISSING_MODELS permits: {}\n", id, error.what());
    return std::nullopt;
  }
}

}  // namespace

int prepare_models(const PrepareChoice& choice, const ModelSettings& settings) {
  const fs::path directory = choice.directory.empty() ? model_cache_dir() / "prepared" : choice.directory;
  const std::vector<model::WeightLayout> layouts = layouts_of(choice.levels);
  ordered_json report = ordered_json::array();
  for (const Wanted& wanted : wanted_models(settings)) {
    const std::optional<fs::path> snapshot = snapshot_of_model(wanted.id, settings.allow_missing);
    if (!snapshot) continue;
    for (const model::WeightLayout& layout : layouts) {
      const model::PrepareResult result =
          model::prepare({.id = wanted.id,
                          .version = model_version(wanted.id, *snapshot),
                          .snapshot = *snapshot,
                          .precision = wanted.precision,
                          .layout = layout,
                          .load =
                              [&](const model::Packing& packing) {
                                return wanted.load(*snapshot, wanted.precision, packing);
                              }},
                         directory);
      report.push_back({{"model", wanted.id},
                        {"precision", to_string(wanted.precision)},
                        {"level", layout.level},
                        {"directory", result.directory.string()},
                        {"bytes", result.bytes},
                        {"written", result.written}});
      if (!choice.json)
        fmt::print("{} {}: {} ({:.0f} MB)\n", result.written ? "prepared" : "present ", wanted.id,
                   result.directory.string(), static_cast<double>(result.bytes) / 1e6);
    }
  }
  if (choice.json) std::cout << report.dump(2) << '\n';
  return 0;
}

}  // namespace ticket
