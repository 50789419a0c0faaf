// Which chunks of a path are on the disk, in a file that outlives the process.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/os/fd.h"

namespace flox::lazy {

// One bit per chunk, in a shared mapping: a bit that is set survives the end of the process, as the bytes do
// that were written before it. Neither survives a stop of the machine for certain, so sets of an earlier boot
// are not used. Thread-safe.
class ChunkSet {
 public:
  // `file` has the bits of `chunks`, or becomes so large. Throws Error(invalid_input) if it is larger.
  ChunkSet(const Fd& file, size_t chunks);
  ~ChunkSet();
  ChunkSet(const ChunkSet&) = delete;
  ChunkSet& operator=(const ChunkSet&) = delete;

  bool has(size_t chunk) const noexcept {
    return (word(chunk).load(std::memory_order_acquire) & bit(chunk)) != 0;
  }
  // The chunk's bytes are in their file.
  void add(size_t chunk) noexcept { word(chunk).fetch_or(bit(chunk), std::memory_order_release); }

 private:
  using Word = std::atomic<uint64_t>;
  static_assert(Word::is_always_lock_free && sizeof(Word) == sizeof(uint64_t));
  static uint64_t bit(size_t chunk) noexcept { return uint64_t{1} << chunk % 64; }
  Word& word(size_t chunk) const noexcept { return words_[chunk / 64]; }

  const size_t bytes_;
  Word* words_ = nullptr;
};

}  // namespace flox::lazy
