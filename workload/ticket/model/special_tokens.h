// Special tokens that a text spells out ("[SEP]"), and which ids are special.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "ticket/model/tokenizer_description.h"

namespace ticket::model {

class SpecialTokens {
 public:
  explicit SpecialTokens(std::vector<AddedToken> tokens);

  struct Match {
    size_t begin, end;  // with the white space that the token takes along
    int32_t id;
  };
  // The first token at or after `from`, the longest of those that begin at one place.
  std::optional<Match> find(std::string_view utf8, size_t from) const;
  // Whether ids become text without it.
  bool is_special(int32_t id) const;
  // The token of an id that was added; nullptr if none was.
  const AddedToken* by_id(int32_t id) const;

 private:
  std::vector<AddedToken> tokens_;  // the longest first
  std::array<bool, 256> first_bytes_{};
};

}  // namespace ticket::model
