// Byte-level byte-pair encoding (GPT-2, BART): a word's bytes are merged, the most wanted pair first.
#pragma once

#include <atomic>
#include <optional>

#include "ticket/model/special_tokens.h"
#include "ticket/model/string_table.h"
#include "ticket/model/tokenizer.h"
#include "ticket/model/tokenizer_description.h"

namespace ticket::model {

class BytePairTokenizer : public Tokenizer {
 public:
  // `description` is of a byte-pair model. Throws flox::Error(invalid_input) if it contradicts itself: a
  // merge whose parts or whose result is no token, a byte without a token.
  explicit BytePairTokenizer(TokenizerDescription description);

  std::vector<int32_t> encode(std::string_view utf8, size_t max_tokens) const override;
  std::string decode(std::span<const int32_t> ids) const override;

 private:
  struct Merge {
    uint64_t pair = no_pair;  // left id in the upper half, right id in the lower
    int32_t rank = 0;
    int32_t result = 0;
  };
  static constexpr uint64_t no_pair = ~uint64_t{0};
  // What is known of a token as a word: whether its bytes, merged, give just itself.
  enum Whole : uint8_t { not_tried, is_whole, is_not_whole };

  const Merge* find_merge(int32_t left, int32_t right) const noexcept;
  void add_merge(int32_t left, int32_t right, int32_t rank, int32_t result);
  void append_word(std::string_view bytes, std::vector<int32_t>& ids) const;
  void merge(std::string_view bytes, std::vector<int32_t>& ids) const;

  std::vector<int32_t> before_, after_;
  bool add_prefix_space_, clean_up_spaces_;
  std::array<int32_t, 256> byte_ids_;
  std::vector<Merge> merges_;  // a hash table: a power of two, at most half of it taken
  int merges_shift_;
  StringTable words_;                                // tokens as bytes
  std::vector<std::string> tokens_;                  // the same by id; empty where there is none
  mutable std::vector<std::atomic<uint8_t>> whole_;  // by id
  SpecialTokens special_;
};

}  // namespace ticket::model
