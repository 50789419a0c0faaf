// What the reference does to blanks when it makes text of tokens.
#pragma once

#include <string>

namespace ticket::model {

// `tokenizers`' WordPiece decoder, on one token with the blank before it.
void join_punctuation(std::string& piece);
// transformers' clean_up_tokenization(), on a whole text.
void clean_up_tokenization(std::string& text);

}  // namespace ticket::model
