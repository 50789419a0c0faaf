// all-MiniLM-L6-v2: a text as a vector of 384 numbers, close to those of texts that mean the same.
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

// Immutable after load; every method may be called from several threads.
class SentenceEncoder {
 public:
  // Reads config.json, the tokenizer's files, and model.safetensors or pytorch_model.bin from a directory
  // (a snapshot of the Hub's cache, or any other with these files). The weights stay mapped: the files must
  // not be changed while the object lives. Throws Error that names the file: not_found, or invalid_input for
  // one that is damaged or of another architecture.
  static std::unique_ptr<SentenceEncoder> load(const std::filesystem::path& snapshot,
                                               Precision precision = Precision::fp32, Packing packing = {});
  ~SentenceEncoder();

  // One vector of unit length a text, in order. As sentence-transformers' encode: special tokens added, cut
  // to 256 tokens (max_seq_length of sentence_bert_config.json, where there is one), mean over the tokens, L2
  // norm.
  std::vector<std::vector<float>> embed(std::span<const std::string> texts) const;

  // The same for token ids with the special tokens in place, at most max_tokens() each, at least one.
  // Throws Error(invalid_input) for a sequence that is empty or too long, or an id outside the vocabulary.
  std::vector<std::vector<float>> embed_tokens(std::span<const std::vector<int32_t>> sequences) const;

  size_t dimension() const noexcept;
  size_t max_tokens() const noexcept;

 private:
  struct State;
  explicit SentenceEncoder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ticket::model
