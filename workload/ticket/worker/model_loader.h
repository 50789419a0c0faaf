// Finding the three models on disk and loading them.
#pragma once

#include <filesystem>
#include <string>

#include "ticket/model/precision.h"
#include "ticket/pipeline/models.h"
#include "ticket/worker/metrics.h"

namespace ticket {

struct ModelSettings {
  // Ids on the Hub, or directories.
  std::string embedding = "sentence-transformers/all-MiniLM-L6-v2";           // EMBEDDING_MODEL
  std::string sentiment = "distilbert-base-uncased-finetuned-sst-2-english";  // CLASSIFIER_MODEL
  std::string summary = "sshleifer/distilbart-cnn-6-6";                       // SUMMARIZER_MODEL
  size_t max_summary_length = 50;                                             // MAX_SUMMARY_LENGTH: in tokens
  model::Precision precision = model::Precision::fp16_weights;  // TICKET_PRECISION: of the summary model
  // TICKET_ENCODER_PRECISION: of the other two; not set: model::encoder_precision(precision)
  model::Precision encoder_precision = model::Precision::fp32;
  bool allow_missing = false;  // TICKET_ALLOW_MISSING_MODELS=true

  // Throws flox::Error(invalid_input) naming the variable that is wrong.
  static ModelSettings from_environment();
};

// What tickets are told of the model's state (ModelSlot::version).
std::string model_version(const std::string& id, const std::filesystem::path& directory);

// Loads each, mapped where it is prepared (model/prepared_models.h), otherwise from the model caches, and
// notes in `metrics` how long it took. One that is not on this machine is an error that says where it was
// looked for and what to do (not_found), or with allow_missing an empty slot and a warning in the log. A
// checkpoint that is damaged is an error always; a prepared model that is, or does not fit, is passed over,
// which the log says. The models' files must not change while the models live.
Models load_models(const ModelSettings& settings, Metrics& metrics);

}  // namespace ticket
