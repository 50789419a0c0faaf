// What every tokenizer does around its own rules: special tokens before and after the text and where the text
// spells them out, and the limit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ticket/model/special_tokens.h"
#include "ticket/model/unicode_rules.h"

namespace ticket::model {

// `before`, the text's ids, `after`: at most `max_tokens`, of which only the text's are cut. `append(piece,
// ids, full)` appends the ids of a piece without special tokens; it may stop once there are `full`, and says
// whether there are fewer. Throws Error(internal) if `before` and `after` alone are too many.
template <typename Append>
std::vector<int32_t> encode_between(const std::vector<int32_t>& before, const std::vector<int32_t>& after,
                                    const SpecialTokens& special, std::string_view utf8, size_t max_tokens,
                                    Append append) {
  if (const size_t specials = before.size() + after.size(); max_tokens < specials)
    flox::fail(flox::ErrorKind::internal, "encode: room for {} tokens, special ones alone are {}", max_tokens,
               specials);
  const size_t full = max_tokens - after.size();
  std::string buffer;
  const std::string_view text = valid_utf8(utf8, buffer);
  std::vector<int32_t> ids = before;
  for (size_t at = 0; at < text.size() && ids.size() < full;) {
    const auto match = special.find(text, at);
    const size_t end = match ? match->begin : text.size();
    const bool more = append(text.substr(at, end - at), ids, full);
    if (!match || !more) break;
    ids.push_back(match->id);
    at = match->end;
  }
  ids.resize(std::min(ids.size(), full));
  ids.insert(ids.end(), after.begin(), after.end());
  return ids;
}

}  // namespace ticket::model
