// Cuts files into chunks where their contents say (docs/formats/nar-index.md): files that are alike have most
// chunks in common, wherever in them bytes were added or removed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flox::store {

// FastCDC (Xia et al., USENIX ATC 2016) with a gear hash. One file's contents, as a stream. One thread at a
// time.
class ChunkCutter {
 public:
  // Bytes. A file's last chunk may be smaller.
  static constexpr size_t least = 16 << 10;
  static constexpr size_t usual = 64 << 10;
  static constexpr size_t most = 256 << 10;

  struct Piece {
    size_t size = 0;    // bytes of what was given that belong to the chunk under way; not 0
    bool ends = false;  // the chunk ends with them
  };
  // `bytes`, not empty, follow what was given before. The file's end is the caller's to see.
  Piece next(std::string_view bytes);
  // The next file begins.
  void reset() noexcept { size_ = hash_ = 0; }

 private:
  uint64_t hash_ = 0;
  size_t size_ = 0;  // of the chunk so far
};

}  // namespace flox::store
