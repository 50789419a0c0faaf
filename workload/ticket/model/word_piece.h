// WordPiece (BERT, DistilBERT): each word is covered from the left with the longest pieces that the
// vocabulary has.
#pragma once

#include "ticket/model/special_tokens.h"
#include "ticket/model/string_table.h"
#include "ticket/model/tokenizer.h"
#include "ticket/model/tokenizer_description.h"

namespace ticket::model {

class WordPieceTokenizer : public Tokenizer {
 public:
  // `description` is of a WordPiece model. Throws flox::Error(invalid_input) if it contradicts itself.
  explicit WordPieceTokenizer(TokenizerDescription description);

  std::vector<int32_t> encode(std::string_view utf8, size_t max_tokens) const override;
  std::string decode(std::span<const int32_t> ids) const override;

 private:
  // Appends the ids of one word's pieces, or the unknown token.
  void append_pieces(std::string_view word, std::vector<int32_t>& ids) const;

  BertTextRules rules_;
  std::vector<int32_t> before_, after_;
  std::string continuing_prefix_;
  size_t longest_word_;
  bool join_punctuation_, clean_up_spaces_;
  int32_t unknown_ = 0;
  StringTable beginnings_;           // pieces that begin a word
  StringTable continuations_;        // the others, without their prefix
  std::vector<std::string> tokens_;  // by id; empty where there is none
  SpecialTokens special_;
};

}  // namespace ticket::model
