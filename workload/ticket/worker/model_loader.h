// Finding the three models on disk and loading them.
#pragma once

#include <functional>
#include <string>

#include "ticket/pipeline/models.h"
#include "ticket/worker/metrics.h"

namespace ticket {

struct ModelSettings {
  std::string embedding = "sentence-transformers/all-MiniLM-L6-v2";           // EMBEDDING_MODEL
  std::string sentiment = "distilbert-base-uncased-finetuned-sst-2-english";  // CLASSIFIER_MODEL
  std::string summary = "sshleifer/distilbart-cnn-6-6";                       // SUMMARIZER_MODEL
  size_t max_summary_length = 50;                                             // MAX_SUMMARY_LENGTH: in tokens
  std::string precision = "fp16";  // TICKET_PRECISION: of the summary model's weights: fp32, fp16 or int8
  bool allow_missing = false;      // TICKET_ALLOW_MISSING_MODELS=true

  // Throws flox::Error(invalid_input) naming the variable that is wrong.
  static ModelSettings from_environment();
};

// Loads each, and notes in `metrics` how long it took. One that is not on this machine is an error that says
// where it was looked for and what to do (not_found), or with allow_missing an empty slot and a warning in
// the log. One that is damaged is an error always. The models' directories must not change while the models
// live.
Models load_models(const ModelSettings& settings, Metrics& metrics);

}  // namespace ticket
