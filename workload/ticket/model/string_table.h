// A hash table from strings to ids whose hash grows byte by byte: all the prefixes of a word are hashed in
// one go, which is what finding the longest known piece needs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ticket::model {

class StringTable {
 public:
  static constexpr uint64_t empty_hash = 0xcbf29ce484222325;  // FNV-1a
  static constexpr uint64_t extend(uint64_t hash, char byte) {
    return (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  static constexpr uint64_t hash_of(std::string_view text) {
    uint64_t hash = empty_hash;
    for (char byte : text) hash = extend(hash, byte);
    return hash;
  }

  // Room for `strings` strings.
  explicit StringTable(size_t strings);
  // A string that is there already gets the new id. No more strings than there is room for.
  void insert(std::string_view text, int32_t id);
  // -1 if it is not there; `hash` is hash_of(text).
  int32_t find(std::string_view text, uint64_t hash) const noexcept;
  int32_t find(std::string_view text) const noexcept { return find(text, hash_of(text)); }
  // Bytes of the longest string.
  size_t longest() const noexcept { return longest_; }

 private:
  struct Slot {
    uint64_t hash = 0;
    uint32_t offset = 0, size = 0;
    int32_t id = -1;  // -1: free
  };
  size_t slot_of(std::string_view text, uint64_t hash) const noexcept;

  std::vector<Slot> slots_;  // a power of two, at most half of them taken
  std::string characters_;
  int shift_;
  size_t longest_ = 0;
};

}  // namespace ticket::model
