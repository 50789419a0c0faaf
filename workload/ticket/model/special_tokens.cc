#include "ticket/model/special_tokens.h"

#include <unicode/utf8.h>

#include <algorithm>

#include "ticket/model/unicode_rules.h"

namespace ticket::model {
namespace {

size_t without_space_before(std::string_view text, size_t from, size_t at) {
  while (at > from) {
    size_t before = at - 1;
    while (before > from && (static_cast<unsigned char>(text[before]) & 0xc0) == 0x80) --before;
    UChar32 c;
    U8_GET_UNSAFE(reinterpret_cast<const uint8_t*>(text.data()), before, c);
    if (!is_white_space(c)) break;
    at = before;
  }
  return at;
}

size_t without_space_after(std::string_view text, size_t at) {
  while (at < text.size()) {
    auto after = static_cast<int64_t>(at);
    UChar32 c;
    U8_NEXT(reinterpret_cast<const uint8_t*>(text.data()), after, static_cast<int64_t>(text.size()), c);
    if (!is_white_space(c)) break;
    at = static_cast<size_t>(after);
  }
  return at;
}

}  // namespace

SpecialTokens::SpecialTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::ranges::stable_sort(tokens_, std::ranges::greater{},
                           [](const AddedToken& token) { return token.content.size(); });
  for (const AddedToken& token : tokens_) first_bytes_[static_cast<unsigned char>(token.content[0])] = true;
}

std::optional<SpecialTokens::Match> SpecialTokens::find(std::string_view text, size_t from) const {
  for (size_t at = from; at < text.size(); ++at) {
    if (!first_bytes_[static_cast<unsigned char>(text[at])]) continue;
    for (const AddedToken& token : tokens_) {
      if (!text.substr(at).starts_with(token.content)) continue;
      size_t begin = at, end = at + token.content.size();
      if (token.takes_space_before) begin = without_space_before(text, from, begin);
      if (token.takes_space_after) end = without_space_after(text, end);
      return Match{.begin = begin, .end = end, .id = token.id};
    }
  }
  return std::nullopt;
}

const AddedToken* SpecialTokens::by_id(int32_t id) const {
  auto found = std::ranges::find(tokens_, id, &AddedToken::id);
  return found == tokens_.end() ? nullptr : &*found;
}

bool SpecialTokens::is_special(int32_t id) const {
  const AddedToken* token = by_id(id);
  return token != nullptr && token->special;
}

}  // namespace ticket::model
