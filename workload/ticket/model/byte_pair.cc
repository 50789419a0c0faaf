#include "ticket/model/byte_pair.h"

#include <algorithm>
#include <bit>
#include <queue>

#include "base/error.h"
#include "ticket/model/byte_level_text.h"
#include "ticket/model/detokenize.h"
#include "ticket/model/special_encoding.h"
#include "ticket/model/unicode_rules.h"

namespace ticket::model {

using flox::ErrorKind;
using flox::fail;

namespace {

size_t tokens_by_id(const TokenizerDescription& description) {
  int32_t largest = 0;
  for (const auto& [token, id] : description.vocabulary) largest = std::max(largest, id);
  return static_cast<size_t>(largest) + 1;
}

}  // namespace

BytePairTokenizer::BytePairTokenizer(TokenizerDescription description)
    : before_(std::move(description.before)),
      after_(std::move(description.after)),
      add_prefix_space_(description.add_prefix_space),
      clean_up_spaces_(description.clean_up_spaces),
      merges_(std::bit_ceil(2 * description.merges.size() + 2)),
      merges_shift_(64 - std::countr_zero(merges_.size())),
      words_(description.vocabulary.size()),
      tokens_(tokens_by_id(description)),
      whole_(tokens_.size()),
      special_(std::move(description.added_tokens)) {
  StringTable spelt(description.vocabulary.size());  // tokens as the files spell them
  for (const auto& [token, id] : description.vocabulary) {
    spelt.insert(token, id);
    tokens_[static_cast<size_t>(id)] = bytes_of_token(token);
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    byte_ids_[byte] = spelt.find(byte_symbols()[byte]);
    if (byte_ids_[byte] < 0)
      fail(ErrorKind::invalid_input, "the vocabulary has no token \"{}\" for byte {}", byte_symbols()[byte],
           byte);
  }
  int32_t rank = 0;
  for (const auto& [left, right] : description.merges) {
    int32_t left_id = spelt.find(left), right_id = spelt.find(right), result = spelt.find(left + right);
    if (left_id < 0 || right_id < 0 || result < 0)
      fail(ErrorKind::invalid_input, "merge {} of \"{}\" and \"{}\": the vocabulary has no token \"{}\"",
           rank, left, right,
           left_id < 0    ? left
           : right_id < 0 ? right
                          : left + right);
    add_merge(left_id, right_id, rank++, result);
    // Only what merges lead to can be a whole word.
    words_.insert(tokens_[static_cast<size_t>(result)], result);
  }
}

const BytePairTokenizer::Merge* BytePairTokenizer::find_merge(int32_t left, int32_t right) const noexcept {
  uint64_t pair = static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
  for (size_t at = pair * 0x9e3779b97f4a7c15 >> merges_shift_;; at = (at + 1) & (merges_.size() - 1)) {
    if (merges_[at].pair == pair) return &merges_[at];
    if (merges_[at].pair == no_pair) return nullptr;
  }
}

void BytePairTokenizer::add_merge(int32_t left, int32_t right, int32_t rank, int32_t result) {
  uint64_t pair = static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
  size_t at = pair * 0x9e3779b97f4a7c15 >> merges_shift_;
  while (merges_[at].pair != no_pair && merges_[at].pair != pair) at = (at + 1) & (merges_.size() - 1);
  merges_[at] = {.pair = pair, .rank = rank, .result = result};  // the last of two equal ones counts
}

std::vector<int32_t> BytePairTokenizer::encode(std::string_view utf8, size_t max_tokens) const {
  std::string prefixed;
  return encode_between(before_, after_, special_, utf8, max_tokens,
                        [&](std::string_view piece, std::vector<int32_t>& ids, size_t full) {
                          if (add_prefix_space_ && !piece.empty() && !piece.starts_with(' ')) {
                            prefixed.assign(" ").append(piece);
                            piece = prefixed;
                          }
                          return for_each_byte_level_word(piece, [&](std::string_view bytes) {
                            append_word(bytes, ids);
                            return ids.size() < full;
                          });
                        });
}

void BytePairTokenizer::append_word(std::string_view bytes, std::vector<int32_t>& ids) const {
  // Most words are a token as a whole. Whether merging leads there is tried once for each token and then
  // known: 4 times as fast as merging every time.
  int32_t id = bytes.size() <= words_.longest() ? words_.find(bytes) : -1;
  if (id < 0) {
    merge(bytes, ids);
    return;
  }
  std::atomic<uint8_t>& known = whole_[static_cast<size_t>(id)];
  if (known.load(std::memory_order_relaxed) == not_tried) {
    std::vector<int32_t> alone;
    merge(bytes, alone);
    known.store(alone.size() == 1 && alone[0] == id ? is_whole : is_not_whole, std::memory_order_relaxed);
  }
  if (known.load(std::memory_order_relaxed) == is_whole)
    ids.push_back(id);
  else
    merge(bytes, ids);
}

void BytePairTokenizer::merge(std::string_view bytes, std::vector<int32_t>& ids) const {
  // The word as a list of tokens, in which a merge takes the right one out; and the merges that were possible
  // when last looked at, best first. One that its neighbours have overtaken is told by its result and
  // dropped, as `tokenizers` does.
  struct Symbol {
    int32_t id;
    int32_t previous, next;  // -1 at the ends; a symbol that was taken out has id -1
  };
  struct Candidate {
    int32_t rank, at, result;
    bool operator>(const Candidate& other) const {
      return std::tie(rank, at) > std::tie(other.rank, other.at);
    }
  };
  const auto size = static_cast<int32_t>(bytes.size());
  std::vector<Symbol> symbols(bytes.size());
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  auto propose = [&](int32_t at) {
    if (at < 0 || symbols[static_cast<size_t>(at)].next < 0) return;
    const Symbol& left = symbols[static_cast<size_t>(at)];
    if (const Merge* merge = find_merge(left.id, symbols[static_cast<size_t>(left.next)].id))
      candidates.push({.rank = merge->rank, .at = at, .result = merge->result});
  };
  for (int32_t at = 0; at < size; ++at)
    symbols[static_cast<size_t>(at)] = {
        .id = byte_ids_[static_cast<unsigned char>(bytes[static_cast<size_t>(at)])],
        .previous = at - 1,
        .next = at + 1 < size ? at + 1 : -1};
  for (int32_t at = 0; at < size; ++at) propose(at);
  while (!candidates.empty()) {
    Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = symbols[static_cast<size_t>(best.at)];
    if (left.id < 0 || left.next < 0) continue;
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    const Merge* merge = find_merge(left.id, right.id);
    if (merge == nullptr || merge->result != best.result) continue;
    left.id = best.result;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = best.at;
    propose(left.previous);
    propose(best.at);
  }
  for (int32_t at = size > 0 ? 0 : -1; at >= 0; at = symbols[static_cast<size_t>(at)].next)
    ids.push_back(symbols[static_cast<size_t>(at)].id);
}

std::string BytePairTokenizer::decode(std::span<const int32_t> ids) const {
  std::string bytes;
  for (int32_t id : ids) {
    const AddedToken* added = special_.by_id(id);
    if (added != nullptr && !added->special)
      bytes += added->content;
    else if (added == nullptr && id >= 0 && static_cast<size_t>(id) < tokens_.size())
      bytes += tokens_[static_cast<size_t>(id)];
  }
  std::string buffer;
  std::string text(valid_utf8(bytes, buffer));
  if (clean_up_spaces_) clean_up_tokenization(text);
  return text;
}

}  // namespace ticket::model
