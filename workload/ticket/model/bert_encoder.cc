#include "ticket/model/bert_encoder.h"

namespace ticket::model {

BertEncoder::BertEncoder(const Checkpoint& checkpoint, const EncoderConfig& config,
                         const std::string& embeddings, const std::string& layers, const EncoderNames& names,
                         Precision precision, ThreadPool& pool)
    : config_(config),
      words_(checkpoint.at(embeddings + ".word_embeddings.weight", {config.vocabulary, config.hidden})),
      positions_(
          checkpoint.at(embeddings + ".position_embeddings.weight", {config.positions, config.hidden})),
      norm_(LayerNorm::read(checkpoint, embeddings + ".LayerNorm", config.hidden, config.epsilon)),
      encoder_(checkpoint,
               {.layers = config.layers,
                .hidden = config.hidden,
                .heads = config.heads,
                .intermediate = config.intermediate,
                .epsilon = config.epsilon,
                .precision = precision},
               layers, names, pool) {
  if (config.types > 0) {
    type_ = checkpoint.floats(embeddings + ".token_type_embeddings.weight", {config.types, config.hidden});
    type_.resize(config.hidden);
  }
}

BertEncoder BertEncoder::bert(const Checkpoint& checkpoint, const EncoderConfig& config, Precision precision,
                              ThreadPool& pool) {
  const std::string prefix = checkpoint.has("bert.embeddings.word_embeddings.weight") ? "bert." : "";
  return BertEncoder(checkpoint, config, prefix + "embeddings", prefix + "encoder.layer", bert_names,
                     precision, pool);
}

BertEncoder BertEncoder::distilbert(const Checkpoint& checkpoint, const EncoderConfig& config,
                                    Precision precision, ThreadPool& pool) {
  return BertEncoder(checkpoint, config, "distilbert.embeddings", "distilbert.transformer.layer",
                     distilbert_names, precision, pool);
}

Matrix BertEncoder::run(std::span<const std::vector<int32_t>> sequences, const Offsets& offsets,
                        ThreadPool& pool) const {
  Matrix rows(offsets.back(), config_.hidden);
  for (size_t text = 0; text < sequences.size(); ++text) {
    for (size_t t = 0; t < sequences[text].size(); ++t) {
      float* row = rows.row(offsets[text] + t);
      words_.copy(static_cast<size_t>(sequences[text][t]), row);
      positions_.add(t, row);
      for (size_t i = 0; i < type_.size(); ++i) row[i] += type_[i];
    }
  }
  norm_.apply(rows, nullptr, pool);
  encoder_.run(rows, offsets, pool);
  return rows;
}

}  // namespace ticket::model
