// What MiniLM (BERT) and DistilBERT share: embedded tokens through an encoder.
#pragma once

#include "ticket/model/encoder.h"
#include "ticket/model/model_config.h"

namespace ticket::model {

class BertEncoder {
 public:
  // BertModel, whose tensors may have the prefix "bert.".
  static BertEncoder bert(const Checkpoint& checkpoint, const EncoderConfig& config, Precision precision,
                          ThreadPool& pool);
  // The DistilBertModel within a classifier.
  static BertEncoder distilbert(const Checkpoint& checkpoint, const EncoderConfig& config,
                                Precision precision, ThreadPool& pool);

  // One row a token of all sequences, in order.
  Matrix run(std::span<const std::vector<int32_t>> sequences, const Offsets& offsets, ThreadPool& pool) const;

 private:
  BertEncoder(const Checkpoint& checkpoint, const EncoderConfig& config, const std::string& embeddings,
              const std::string& layers, const EncoderNames& names, Precision precision, ThreadPool& pool);
  EncoderConfig config_;
  EmbeddingTable words_, positions_;
  std::vector<float> type_;  // of the first sentence, which is all there is; empty: none
  LayerNorm norm_;
  Encoder encoder_;
};

}  // namespace ticket::model
