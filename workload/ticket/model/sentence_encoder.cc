#include "ticket/model/sentence_encoder.h"

#include <algorithm>
#include <cmath>
#include <future>

#include "base/error.h"
#include "ticket/model/bert_encoder.h"
#include "ticket/model/tokenizer.h"

namespace ticket::model {
namespace {

constexpr size_t default_max_tokens = 256;

// The mean of a sequence's rows, made a unit long.
std::vector<float> pool_rows(const Matrix& rows, size_t first, size_t last) {
  std::vector<float> mean(rows.columns());
  for (size_t r = first; r < last; ++r)
    for (size_t i = 0; i < mean.size(); ++i) mean[i] += rows.row(r)[i];
  double squares = 0;
  for (float& value : mean) {
    value /= static_cast<float>(last - first);
    squares += static_cast<double>(value) * value;
  }
  const float length = std::max(static_cast<float>(std::sqrt(squares)), 1e-12f);
  for (float& value : mean) value /= length;
  return mean;
}

}  // namespace

struct SentenceEncoder::State {
  ThreadPool& pool;
  std::future<std::unique_ptr<Tokenizer>> reading_tokenizer;  // beside the weights
  EncoderConfig config;
  size_t max_tokens;
  Checkpoint checkpoint;
  BertEncoder encoder;
  std::unique_ptr<Tokenizer> tokenizer;

  State(const std::filesystem::path& snapshot, Precision precision, Packing packing)
      : pool(ThreadPool::shared()),
        reading_tokenizer(std::async(std::launch::async, load_tokenizer, snapshot)),
        config(read_bert_config(snapshot)),
        max_tokens(std::min(read_max_sequence(snapshot).value_or(default_max_tokens), config.positions)),
        checkpoint(Checkpoint::open(snapshot, std::move(packing))),
        encoder(BertEncoder::bert(checkpoint, config, precision, pool)),
        tokenizer(reading_tokenizer.get()) {}
};

SentenceEncoder::SentenceEncoder(std::unique_ptr<State> state) : state_(std::move(state)) {}
SentenceEncoder::~SentenceEncoder() = default;

std::unique_ptr<SentenceEncoder> SentenceEncoder::load(const std::filesystem::path& snapshot,
                                                       Precision precision, Packing packing) {
  return flox::in_context("loading sentence encoder " + snapshot.string(), [&] {
    return std::unique_ptr<SentenceEncoder>(
        new SentenceEncoder(std::make_unique<State>(snapshot, precision, std::move(packing))));
  });
}

size_t SentenceEncoder::dimension() const noexcept { return state_->config.hidden; }
size_t SentenceEncoder::max_tokens() const noexcept { return state_->max_tokens; }

std::vector<std::vector<float>> SentenceEncoder::embed(std::span<const std::string> texts) const {
  std::vector<std::vector<int32_t>> sequences;
  for (const std::string& text : texts)
    sequences.push_back(state_->tokenizer->encode(text, state_->max_tokens));
  return embed_tokens(sequences);
}

std::vector<std::vector<float>> SentenceEncoder::embed_tokens(
    std::span<const std::vector<int32_t>> sequences) const {
  check_tokens(sequences, state_->max_tokens, state_->config.vocabulary);
  std::vector<std::vector<float>> vectors;
  for (auto group : groups_of(sequences)) {
    const Offsets offsets = offsets_of(group);
    Matrix rows = state_->encoder.run(group, offsets, state_->pool);
    for (size_t i = 0; i < group.size(); ++i) vectors.push_back(pool_rows(rows, offsets[i], offsets[i + 1]));
  }
  return vectors;
}

}  // namespace ticket::model
