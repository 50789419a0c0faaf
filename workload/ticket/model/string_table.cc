#include "ticket/model/string_table.h"

#include <algorithm>
#include <bit>

namespace ticket::model {

StringTable::StringTable(size_t strings)
    : slots_(std::bit_ceil(2 * strings + 2)), shift_(64 - std::countr_zero(slots_.size())) {}

size_t StringTable::slot_of(std::string_view text, uint64_t hash) const noexcept {
  // FNV's low bits are weak; multiplying by 2^64/φ brings all of them to the top.
  size_t at = hash * 0x9e3779b97f4a7c15 >> shift_;
  for (;; at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.id < 0) return at;
    if (slot.hash == hash && std::string_view(characters_).substr(slot.offset, slot.size) == text) return at;
  }
}

void StringTable::insert(std::string_view text, int32_t id) {
  uint64_t hash = hash_of(text);
  Slot& slot = slots_[slot_of(text, hash)];
  if (slot.id < 0) {
    slot = {.hash = hash,
            .offset = static_cast<uint32_t>(characters_.size()),
            .size = static_cast<uint32_t>(text.size())};
    characters_ += text;
    longest_ = std::max(longest_, text.size());
  }
  slot.id = id;
}

int32_t StringTable::find(std::string_view text, uint64_t hash) const noexcept {
  return slots_[slot_of(text, hash)].id;
}

}  // namespace ticket::model
