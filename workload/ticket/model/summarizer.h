// DistilBART-CNN-6-6: a short summary of a text, by beam search.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ticket/model/checkpoint.h"
#include "ticket/model/precision.h"

namespace ticket::model {

// In tokens, as `generate` counts them: with the start token and the end token.
struct SummaryLimits {
  size_t min_length = 10;
  size_t max_length = 50;  // 3 or more, and at most the model's positions (1024)
};

// Where the time of one call went.
struct SummaryTimes {
  double tokenize = 0, encode = 0, decode = 0;  // seconds
  size_t source_tokens = 0;                     // read by the encoder
  size_t steps = 0;                             // of the decoder, each of which reads all its weights
  size_t rows = 0;                              // beams decoded, over all steps
};

// Immutable after load; every method may be called from several threads.
class Summarizer {
 public:
  // As SentenceEncoder::load. How it searches (beams, length penalty, …) comes from generation_config.json or
  // config.json; with what it cannot do (sampling, several beam groups, …) it throws Error(invalid_input).
  static std::unique_ptr<Summarizer> load(const std::filesystem::path& snapshot,
                                          Precision precision = Precision::fp16_weights,
                                          Packing packing = {});
  ~Summarizer();

  // One summary a text, in order: what transformers' summarization pipeline returns with min_length,
  // max_length, do_sample=False and truncation=True, token for token (with int8_weights: nearly). All are
  // decoded together, so that a step reads the weights once for all of them. Throws Error(invalid_input) for
  // limits that make no sense.
  std::vector<std::string> summarize(std::span<const std::string> texts, const SummaryLimits& limits,
                                     SummaryTimes* times = nullptr) const;

  // The same for token ids with the special tokens in place; the answer begins with the decoder's start token
  // and holds what `generate` returns, without padding.
  std::vector<std::vector<int32_t>> generate(std::span<const std::vector<int32_t>> sources,
                                             const SummaryLimits& limits,
                                             SummaryTimes* times = nullptr) const;

  size_t max_tokens() const noexcept;

 private:
  struct State;
  explicit Summarizer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ticket::model
