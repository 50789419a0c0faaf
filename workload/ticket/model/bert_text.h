// How BERT sees a text before its vocabulary is asked: cleaned, without accents, in lower case, split into
// words.
#pragma once

#include <functional>
#include <string_view>

namespace ticket::model {

struct BertTextRules {
  bool clean = true;             // drop control characters, make all white space spaces
  bool split_ideographs = true;  // every CJK ideograph is a word of its own
  bool strip_accents = true;     // NFD, then no category Mn
  bool lower_case = true;
};

// Calls `word` with each word of `utf8` (valid UTF-8) in order, until it returns false. A word has no white
// space; a punctuation character is a word. The view that `word` gets lasts for the call. Returns whether all
// were given.
bool for_each_bert_word(std::string_view utf8, const BertTextRules& rules,
                        const std::function<bool(std::string_view)>& word);

}  // namespace ticket::model
