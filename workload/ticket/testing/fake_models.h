// For tests: models that answer by rule, and fail where a text tells them to.
#pragma once

#include <algorithm>

#include "base/error.h"
#include "ticket/pipeline/models.h"

namespace ticket {

// Counts calls and texts; a text with "[unreadable]" in it makes the whole call fail, as a real model's does.
struct FakeCalls {
  std::vector<size_t> sizes;  // texts of each call
  std::vector<std::string> texts;
  void note(const std::vector<std::string>& given) {
    sizes.push_back(given.size());
    texts.insert(texts.end(), given.begin(), given.end());
    for (const std::string& text : given)
      if (text.find("[unreadable]") != std::string::npos)
        flox::fail(flox::ErrorKind::invalid_input, "a fake model cannot take this text");
  }
};

class FakeEmbedding : public EmbeddingModel {
 public:
  size_t dimension() const override { return 4; }
  std::vector<std::vector<float>> embed(const std::vector<std::string>& texts) override {
    calls.note(texts);
    std::vector<std::vector<float>> vectors;
    for (const std::string& text : texts) vectors.push_back({static_cast<float>(text.size()), 0.1F, 0, 1});
    return vectors;
  }
  FakeCalls calls;
};

class FakeSentiment : public SentimentModel {
 public:
  std::vector<Sentiment> classify(const std::vector<std::string>& texts) override {
    calls.note(texts);
    return std::vector<Sentiment>(texts.size(), {.label = "NEGATIVE", .confidence = confidence});
  }
  double confidence = 0.9;
  FakeCalls calls;
};

class FakeSummary : public SummaryModel {
 public:
  std::vector<std::string> summarize(const std::vector<std::string>& texts) override {
    calls.note(texts);
    std::vector<std::string> summaries;
    for (const std::string& text : texts)
      summaries.push_back(" About " + text.substr(0, text.find(' ')) + "  ");
    return summaries;
  }
  FakeCalls calls;
};

inline Models fake_models() {
  Models models;
  models.embedding.version = "embedding@1";
  models.embedding.model = std::make_unique<FakeEmbedding>();
  models.sentiment.version = "sentiment@2";
  models.sentiment.model = std::make_unique<FakeSentiment>();
  models.summary.version = "summary@3";
  models.summary.model = std::make_unique<FakeSummary>();
  return models;
}

}  // namespace ticket
