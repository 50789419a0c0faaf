#include "ticket/model/sentiment_classifier.h"

#include <algorithm>
#include <cmath>
#include <future>

#include "base/error.h"
#include "ticket/model/bert_encoder.h"
#include "ticket/model/tokenizer.h"

namespace ticket::model {

struct SentimentClassifier::State {
  ThreadPool& pool;
  std::future<std::unique_ptr<Tokenizer>> reading_tokenizer;  // beside the weights
  EncoderConfig config;
  Checkpoint checkpoint;
  BertEncoder encoder;
  Linear pre_classifier, classifier;
  std::unique_ptr<Tokenizer> tokenizer;

  State(const std::filesystem::path& snapshot, Precision precision, Packing packing)
      : pool(ThreadPool::shared()),
        reading_tokenizer(std::async(std::launch::async, load_tokenizer, snapshot)),
        config(read_distilbert_config(snapshot)),
        checkpoint(Checkpoint::open(snapshot, std::move(packing))),
        encoder(BertEncoder::distilbert(checkpoint, config, precision, pool)),
        pre_classifier(
            read_linear(checkpoint, {"pre_classifier"}, config.hidden, config.hidden, Precision::fp32, pool)),
        classifier(read_linear(checkpoint, {"classifier"}, config.labels.size(), config.hidden,
                               Precision::fp32, pool)),
        tokenizer(reading_tokenizer.get()) {}
};

SentimentClassifier::SentimentClassifier(std::unique_ptr<State> state) : state_(std::move(state)) {}
SentimentClassifier::~SentimentClassifier() = default;

std::unique_ptr<SentimentClassifier> SentimentClassifier::load(const std::filesystem::path& snapshot,
                                                               Precision precision, Packing packing) {
  return flox::in_context("loading sentiment classifier " + snapshot.string(), [&] {
    return std::unique_ptr<SentimentClassifier>(
        new SentimentClassifier(std::make_unique<State>(snapshot, precision, std::move(packing))));
  });
}

size_t SentimentClassifier::max_tokens() const noexcept { return state_->config.positions; }

std::vector<Sentiment> SentimentClassifier::classify(std::span<const std::string> texts) const {
  std::vector<std::vector<int32_t>> sequences;
  for (const std::string& text : texts) sequences.push_back(state_->tokenizer->encode(text, max_tokens()));
  std::vector<Sentiment> sentiments;
  for (std::vector<float>& row : logits(sequences)) {
    const size_t best = static_cast<size_t>(std::ranges::max_element(row) - row.begin());
    kernels().softmax(row.data(), row.size());
    sentiments.push_back({.label = state_->config.labels[best], .score = row[best]});
  }
  return sentiments;
}

std::vector<std::vector<float>> SentimentClassifier::logits(
    std::span<const std::vector<int32_t>> sequences) const {
  check_tokens(sequences, max_tokens(), state_->config.vocabulary);
  const size_t hidden = state_->config.hidden, labels = state_->config.labels.size();
  std::vector<std::vector<float>> result;
  for (auto group : groups_of(sequences)) {
    const Offsets offsets = offsets_of(group);
    Matrix rows = state_->encoder.run(group, offsets, state_->pool);
    Matrix first(group.size(), hidden), pre(group.size(), hidden), out(group.size(), labels);
    for (size_t i = 0; i < group.size(); ++i) std::copy_n(rows.row(offsets[i]), hidden, first.row(i));
    state_->pre_classifier.apply(first.data(), group.size(), pre.data(), Activation::relu, state_->pool);
    state_->classifier.apply(pre.data(), group.size(), out.data(), Activation::none, state_->pool);
    for (size_t i = 0; i < group.size(); ++i) result.emplace_back(out.row(i), out.row(i) + labels);
  }
  return result;
}

}  // namespace ticket::model
