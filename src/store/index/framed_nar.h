// Writes a NAR as zstd in frames that can be decompressed by themselves, and its index
// (docs/formats/nar-index.md). To everyone else it is an ordinary .nar.zst.
#pragma once

#include <memory>
#include <string_view>

#include "base/data/bytes.h"
#include "store/index/nar_index.h"

namespace flox::store {

// One thread at a time, though it may use others itself.
class FramedNar {
 public:
  // A frame ends at the first border of chunks after so many bytes of NAR. With frames of 1 MiB, 1.5 to 3.7 %
  // more bytes came out than with one (libraries, Python's modules), with 2 MiB 0.8 to 1.7 %.
  static constexpr size_t frame_size = 3 << 19;

  // Compressed by `threads` threads beside the caller's, or, with 1, by the caller's own. `sink` is called on
  // the caller's thread. Throws Error(invalid_input) for a level that zstd does not have.
  FramedNar(int level, unsigned threads, ByteSink sink);
  ~FramedNar();
  // Throws Error(invalid_input) for what is no NAR.
  void feed(std::string_view piece);
  // Call once, when the sink has got all: the index but for the two hashes, which the caller knows. It may be
  // over the limits of NarIndex::pack(). Throws Error(invalid_input) for a NAR that is cut off.
  NarIndex finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox::store
