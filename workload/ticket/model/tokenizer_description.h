// What a tokenizer's files say, read and checked, before a tokenizer is made of it. The parsers take text, so
// that they can be tested and fuzzed; each throws flox::Error(invalid_input) with the reason, to which the
// caller adds the file.
#pragma once  // Fuzzed by fuzz/tokenizer.cc.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ticket/model/bert_text.h"

namespace ticket::model {

// A token that is looked for in the raw text.
struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool takes_space_before = false;  // "lstrip": white space next to it goes with it
  bool takes_space_after = false;   // "rstrip"
  bool special = true;              // left out when ids become text
};

struct TokenizerDescription {
  enum class Model { word_piece, byte_pair };
  Model model = Model::word_piece;
  std::vector<std::pair<std::string, int32_t>> vocabulary;  // ids are within [0, max_id]
  std::vector<AddedToken> added_tokens;
  std::vector<int32_t> before, after;  // special ids around a text

  // WordPiece
  BertTextRules text;
  std::string unknown_token = "[UNK]";
  std::string continuing_prefix = "##";
  size_t longest_word = 100;     // in characters; a longer one is unknown
  bool join_punctuation = true;  // when ids become text: no blank before . , ! ?
  // Byte-pairs, the most wanted first
  std::vector<std::pair<std::string, std::string>> merges;
  bool add_prefix_space = false;
  // Both: when ids become text, English contractions and punctuation lose the blank before them.
  bool clean_up_spaces = false;
};

inline constexpr int32_t max_token_id = (1 << 22) - 1;

// tokenizer.json of Hugging Face's `tokenizers`: models WordPiece (with BertNormalizer and BertPreTokenizer)
// and BPE (with ByteLevel). Truncation and padding in it are ignored, as the libraries above `tokenizers` do.
TokenizerDescription parse_tokenizer_json(std::string_view json);
// vocab.txt: a token a line, ids from 0. Special tokens [PAD] [UNK] [CLS] [SEP] [MASK].
TokenizerDescription parse_vocabulary_lines(std::string_view text);
// vocab.json {token: id} and merges.txt ("left right" a line). Special tokens <s> <pad> </s> <unk> <mask>.
TokenizerDescription parse_byte_pair_files(std::string_view vocabulary_json, std::string_view merges);
// What tokenizer_config.json says about the same overrides the description.
void apply_tokenizer_config(std::string_view json, TokenizerDescription& description);

}  // namespace ticket::model
