#include "ticket/model/word_piece.h"

#include <algorithm>

#include "base/error.h"
#include "ticket/model/detokenize.h"
#include "ticket/model/special_encoding.h"
#include "ticket/model/unicode_rules.h"

namespace ticket::model {
namespace {

bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; }

}  // namespace

WordPieceTokenizer::WordPieceTokenizer(TokenizerDescription description)
    : rules_(description.text),
      before_(std::move(description.before)),
      after_(std::move(description.after)),
      continuing_prefix_(std::move(description.continuing_prefix)),
      longest_word_(description.longest_word),
      join_punctuation_(description.join_punctuation),
      clean_up_spaces_(description.clean_up_spaces),
      beginnings_(description.vocabulary.size()),
      continuations_(description.vocabulary.size()),
      special_(std::move(description.added_tokens)) {
  for (auto& [token, id] : description.vocabulary) {
    // A piece may be in both tables: in the middle of a word "##" itself is only found with the prefix before
    // it.
    beginnings_.insert(token, id);
    if (token.starts_with(continuing_prefix_))
      continuations_.insert(std::string_view(token).substr(continuing_prefix_.size()), id);
    if (tokens_.size() <= static_cast<size_t>(id)) tokens_.resize(static_cast<size_t>(id) + 1);
  }
  for (auto& [token, id] : description.vocabulary)
    if (beginnings_.find(token) == id) tokens_[static_cast<size_t>(id)] = std::move(token);
  unknown_ = beginnings_.find(description.unknown_token);
  if (unknown_ < 0)
    flox::fail(flox::ErrorKind::invalid_input, "the vocabulary has no token \"{}\"",
               description.unknown_token);
}

std::vector<int32_t> WordPieceTokenizer::encode(std::string_view utf8, size_t max_tokens) const {
  return encode_between(before_, after_, special_, utf8, max_tokens,
                        [&](std::string_view piece, std::vector<int32_t>& ids, size_t full) {
                          return for_each_bert_word(piece, rules_, [&](std::string_view word) {
                            append_pieces(word, ids);
                            return ids.size() < full;
                          });
                        });
}

void WordPieceTokenizer::append_pieces(std::string_view word, std::vector<int32_t>& ids) const {
  // No character is longer than 4 bytes, so most words need not be counted.
  if (word.size() > longest_word_ &&
      static_cast<size_t>(std::ranges::count_if(word, begins_character)) > longest_word_) {
    ids.push_back(unknown_);
    return;
  }
  const size_t start = ids.size();
  for (size_t at = 0; at < word.size();) {
    const StringTable& table = at == 0 ? beginnings_ : continuations_;
    std::string_view rest = word.substr(at, table.longest());
    uint64_t hash = StringTable::empty_hash;
    size_t longest = 0;
    int32_t id = -1;
    // The hash of a prefix is that of the shorter one and a byte, so all are tried, from the shortest on.
    for (size_t size = 0; size < rest.size();) {
      do hash = StringTable::extend(hash, rest[size++]);
      while (size < rest.size() && !begins_character(rest[size]));
      if (int32_t found = table.find(rest.substr(0, size), hash); found >= 0) {
        id = found;
        longest = size;
      }
    }
    if (id < 0) {
      ids.resize(start);
      ids.push_back(unknown_);
      return;
    }
    ids.push_back(id);
    at += longest;
  }
}

std::string WordPieceTokenizer::decode(std::span<const int32_t> ids) const {
  std::string result;
  bool first = true;
  for (int32_t id : ids) {
    const AddedToken* added = special_.by_id(id);
    if (added != nullptr && added->special) continue;
    std::string_view token;
    if (added != nullptr)
      token = added->content;
    else if (id >= 0 && static_cast<size_t>(id) < tokens_.size())
      token = tokens_[static_cast<size_t>(id)];
    if (token.empty()) continue;
    std::string piece;
    if (first)
      piece = token;
    else if (token.starts_with(continuing_prefix_))
      piece = token.substr(continuing_prefix_.size());
    else
      piece = " " + std::string(token);
    if (join_punctuation_) join_punctuation(piece);
    result += piece;
    first = false;
  }
  if (clean_up_spaces_) clean_up_tokenization(result);
  return result;
}

}  // namespace ticket::model
