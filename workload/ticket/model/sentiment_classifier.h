// DistilBERT fine-tuned on SST-2: is a text positive or negative?
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

struct Sentiment {
  std::string label;  // as config.json's id2label has it: "NEGATIVE" or "POSITIVE"
  float score = 0;    // its probability, at least 0.5 of two labels
};

// Immutable after load; every method may be called from several threads.
class SentimentClassifier {
 public:
  // As SentenceEncoder::load. The two layers behind the encoder have 32 bits always: they meet one row a
  // text.
  static std::unique_ptr<SentimentClassifier> load(const std::filesystem::path& snapshot,
                                                   Precision precision = Precision::fp32,
                                                   Packing packing = {});
  ~SentimentClassifier();

  // The likelier label of each text, in order. A text of more than 512 tokens is cut to 512, special tokens
  // included (the reference program asks for no truncation, fails, and calls such texts neutral).
  std::vector<Sentiment> classify(std::span<const std::string> texts) const;

  // The logits of token sequences with the special tokens in place, at most max_tokens() each, at least one.
  // Throws Error(invalid_input) for a sequence that is empty or too long, or an id outside the vocabulary.
  std::vector<std::vector<float>> logits(std::span<const std::vector<int32_t>> sequences) const;

  size_t max_tokens() const noexcept;

 private:
  struct State;
  explicit SentimentClassifier(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ticket::model
