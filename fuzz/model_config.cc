// A model's config.json, whoever made it. First byte: which kind of model.
#include "ticket/model/model_config.h"

#include "base/os/file.h"
#include "fuzz.h"

namespace flox::fuzz::of_model_config {

void one(std::string_view input) {
  static const TempDir directory("flox-fuzz-");
  const unsigned kind = take_byte(input) % 5;
  const bool of_sentences = kind == 4;
  write_file(directory.path() / (of_sentences ? "sentence_bert_config.json" : "config.json"), input);
  const auto limited = [](const ticket::model::EncoderConfig& config) {
    require(config.layers > 0 && config.hidden > 0 && config.heads > 0, "a model has sizes");
  };
  accepts([&] {
    switch (kind) {
      case 0:
        return limited(ticket::model::read_bert_config(directory.path()));
      case 1:
        return limited(ticket::model::read_distilbert_config(directory.path()));
      case 2:
        ticket::model::read_bart_config(directory.path());
        return;
      case 3:
        require(ticket::model::read_search_config(directory.path()).beams > 0, "a search has a beam");
        return;
      default:
        ticket::model::read_max_sequence(directory.path());
    }
  });
}

}  // namespace flox::fuzz::of_model_config
