#include "ticket/model/detokenize.h"

#include <string_view>

namespace ticket::model {
namespace {

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

void join(std::string& text, bool with_do_not) {
  replace_all(text, " .", ".");
  replace_all(text, " ?", "?");
  replace_all(text, " !", "!");
  replace_all(text, " ,", ",");
  replace_all(text, " ' ", "'");
  replace_all(text, " n't", "n't");
  replace_all(text, " 'm", "'m");
  if (with_do_not) replace_all(text, " do not", " don't");
  replace_all(text, " 's", "'s");
  replace_all(text, " 've", "'ve");
  replace_all(text, " 're", "'re");
}

}  // namespace

void join_punctuation(std::string& piece) { join(piece, true); }
void clean_up_tokenization(std::string& text) { join(text, false); }

}  // namespace ticket::model
