#include "store/index/chunk_cutter.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/data/sha256.h"

namespace flox::store {
namespace {

// Of the hash's most significant bits, which all of the last 64 bytes have an influence on: more of them must
// be 0 before the usual size, and fewer after it, so that most chunks are near it.
constexpr uint64_t mask_before = ~0ULL << (64 - 18);
constexpr uint64_t mask_after = ~0ULL << (64 - 14);

std::array<uint64_t, 256> make_gear() {
  std::array<uint64_t, 256> gear{};
  for (size_t byte = 0; byte < gear.size(); ++byte) {
    const char text = static_cast<char>(byte);
    const Sha256Digest digest = sha256({&text, 1});
    for (size_t i = 8; i-- > 0;) gear[byte] = gear[byte] << 8 | static_cast<unsigned char>(digest[i]);
  }
  return gear;
}

// Where in the bytes the hash has only zeros in the mask for the first time: the position after; 0 if
// nowhere.
size_t find_border(uint64_t& hash, std::string_view bytes, uint64_t mask) {
  static const std::array<uint64_t, 256> gear = make_gear();
  const std::array<uint64_t, 256>& table = gear;
  uint64_t now = hash;
  for (size_t i = 0; i < bytes.size(); ++i) {
    now = (now << 1) + table[static_cast<unsigned char>(bytes[i])];
    if ((now & mask) == 0) return i + 1;
  }
  hash = now;
  return 0;
}

}  // namespace

ChunkCutter::Piece ChunkCutter::next(std::string_view bytes) {
  size_t done = 0;
  const auto until = [&](size_t size) {  // as many of the bytes as make the chunk so large
    return std::min(bytes.size() - done, size - std::min(size_, size));
  };
  const size_t skipped = until(least);
  done += skipped;
  size_ += skipped;
  for (const auto& [size, mask] : {std::pair(usual, mask_before), std::pair(most, mask_after)}) {
    const size_t looked_at = until(size);
    if (looked_at == 0) continue;
    if (const size_t end = find_border(hash_, bytes.substr(done, looked_at), mask); end > 0) {
      reset();
      return {.size = done + end, .ends = true};
    }
    done += looked_at;
    size_ += looked_at;
  }
  if (size_ < most) return {.size = done, .ends = false};
  reset();
  return {.size = done, .ends = true};
}

}  // namespace flox::store
