// What config.json says of a model.
#pragma once  // Fuzzed by fuzz/model_config.cc.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ticket::model {

struct EncoderConfig {  // BertModel, DistilBertModel
  size_t layers = 0, hidden = 0, heads = 0, intermediate = 0;
  size_t positions = 0, types = 0, vocabulary = 0;
  float epsilon = 1e-12f;
  std::vector<std::string> labels;  // by id
};

struct BartConfig {
  size_t hidden = 0;
  size_t encoder_layers = 0, encoder_heads = 0, encoder_intermediate = 0;
  size_t decoder_layers = 0, decoder_heads = 0, decoder_intermediate = 0;
  size_t positions = 0, vocabulary = 0;
  bool scale_embedding = false;
  std::string prefix;  // put in front of a text by the summarization pipeline
};

// How `generate` searches.
struct SearchConfig {
  enum class EarlyStopping { no, yes, never };

  size_t beams = 1;
  double length_penalty = 1;
  EarlyStopping early_stopping = EarlyStopping::no;
  size_t no_repeat_ngram = 0;
  int32_t start = 2, end = 2;
  std::optional<int32_t> forced_first, forced_last;
};

// All throw Error naming the file: not_found if it is missing, invalid_input if it is not JSON, of another
// model type or with sizes that make no sense, and for settings that are not supported.
EncoderConfig read_bert_config(const std::filesystem::path& directory);
EncoderConfig read_distilbert_config(const std::filesystem::path& directory);
BartConfig read_bart_config(const std::filesystem::path& directory);
// From generation_config.json, where there is one, else from config.json.
SearchConfig read_search_config(const std::filesystem::path& directory);
// max_seq_length of sentence_bert_config.json, if the file is there.
std::optional<size_t> read_max_sequence(const std::filesystem::path& directory);

}  // namespace ticket::model
