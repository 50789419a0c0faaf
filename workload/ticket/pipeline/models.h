// What the enrichment asks of models. The real ones are in model/ (worker/model_loader.h wires them in);
// tests have fake ones in testing/fake_models.h. A model takes the texts of one poll together, because it is
// several times faster on ten texts at once than on ten one by one. Calls come from one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace ticket {

class EmbeddingModel {
 public:
  virtual ~EmbeddingModel() = default;
  // Numbers in an embedding: 384 for all-MiniLM-L6-v2.
  virtual size_t dimension() const = 0;
  // One vector of length 1 a text. No text is blank.
  virtual std::vector<std::vector<float>> embed(const std::vector<std::string>& texts) = 0;
};

struct Sentiment {
  std::string label;        // "POSITIVE", "NEGATIVE"; by rule also "NEUTRAL"
  double confidence = 0.0;  // the label's share of the softmax
};

class SentimentModel {
 public:
  virtual ~SentimentModel() = default;
  virtual std::vector<Sentiment> classify(const std::vector<std::string>& texts) = 0;
};

class SummaryModel {
 public:
  virtual ~SummaryModel() = default;
  virtual std::vector<std::string> summarize(const std::vector<std::string>& texts) = 0;
};

// The place of one of the three: what is wanted there, and the model unless it is missing.
template <typename Model>
struct ModelSlot {
  std::string id;       // as on the Hub: "sentence-transformers/all-MiniLM-L6-v2"
  std::string version;  // what tells one state of it from another: "all-MiniLM-L6-v2@c9745ed1"
  std::unique_ptr<Model> model;
};

struct Models {
  ModelSlot<EmbeddingModel> embedding{.id = "sentence-transformers/all-MiniLM-L6-v2"};
  ModelSlot<SentimentModel> sentiment{.id = "distilbert-base-uncased-finetuned-sst-2-english"};
  ModelSlot<SummaryModel> summary{.id = "sshleifer/distilbart-cnn-6-6"};

  // What `model_version` says: "rules-1", then the versions of the models that are there.
  std::string version() const;
  // Ids of those that are not.
  std::vector<std::string> missing() const;
};

}  // namespace ticket
