// Text to token ids and back, as the models' own tokenizers do it: WordPiece (BERT, DistilBERT) and
// byte-level byte-pair encoding (BART). The ids are those of Hugging Face's fast tokenizers
// (test/ticket/tokenizers.sh).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ticket::model {

// Immutable once loaded; any number of threads may use one at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The ids of a text with the model's special tokens around them ([CLS] … [SEP], <s> … </s>). If there would
  // be more than `max_tokens`, those at the end of the text go and the special tokens stay; `max_tokens` is
  // at least 2. Bytes that are not UTF-8 count as U+FFFD, one for each maximal part of a broken sequence, as
  // Python's bytes.decode("utf-8", "replace") has it. Special tokens that the text spells out ("[SEP]")
  // become their ids.
  virtual std::vector<int32_t> encode(std::string_view utf8, size_t max_tokens) const = 0;

  // The text of `ids`: special tokens and ids outside the vocabulary are skipped, what byte-pairs leave of
  // broken UTF-8 becomes U+FFFD. Equal to decode(ids, skip_special_tokens=True) of the reference, with its
  // defaults.
  virtual std::string decode(std::span<const int32_t> ids) const = 0;
};

// Reads the tokenizer of a model's directory: tokenizer.json, else vocab.json and merges.txt (byte-pairs),
// else vocab.txt (WordPiece); tokenizer_config.json is heeded where it is there. Throws flox::Error naming
// the file and the reason: not_found if there is no tokenizer, invalid_input if it is broken or of a kind not
// known here.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& snapshot);

}  // namespace ticket::model
