// Decompression of NAR files, as a stream in bounded memory.
#pragma once  // Fuzzed by fuzz/decompress.cc.

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/data/bytes.h"

namespace flox::store {

// Thrown by a Decompressor that may not have as much memory as its file needs. It is of no use then: a new
// one, with `bytes`, has to begin at the beginning. (A file's first bytes mostly tell, before anything has
// come out, but a later part may need more.)
struct NeedsMemory {
  uint64_t bytes;
};

// Pieces of the compressed file go in through `feed`, the decompressed ones out to the sink. All throw
// NeedsMemory.
class Decompressor {
 public:
  virtual ~Decompressor() = default;
  // Throws Error(invalid_input) if it is not compressed data of that kind.
  virtual void feed(std::string_view piece) = 0;
  // Throws Error(invalid_input) if the file was cut off. Then the next file may be fed, but not after an
  // error.
  virtual void finish() = 0;
  // A file that is in memory as a whole and decompresses to about `size` bytes: the same as feed() and
  // finish(), for small files faster.
  virtual void whole(std::string_view file, [[maybe_unused]] uint64_t size) {
    feed(file);
    finish();
  }
};

// What a file may make us need; more is refused. The largest that the common tools make by themselves (xz -9:
// 65 MiB, zstd --ultra -22: 128 MiB) are below.
inline constexpr uint64_t decompressor_memory_limit = 128ULL << 20;  // bytes
// What the usual file needs: zstd up to level 19 (8 MiB), xz up to level 6 (9 MiB), all of bzip2 and gzip.
inline constexpr uint64_t usual_decompressor_memory = 10ULL << 20;  // bytes

struct DecompressorOptions {
  unsigned threads = 1;  // above 1: several, where the file allows it (xz in several blocks, zstd in several
                         // frames) and the memory
  // Bytes for its window or dictionary, the buffers of further threads included; up to 5 MiB come on top, for
  // itself and a piece of the result.
  uint64_t memory = decompressor_memory_limit;
};
// What several threads can use of `memory`, bytes; less lets fewer of them work. 0 where there is no use for
// them.
uint64_t memory_for_threads(std::string_view compression);

// `compression` as a narinfo names it: none, zstd, xz, bzip2, gzip, br. Files of several frames, streams or
// members are read to their end. Checksums in the file are not compared: what comes out is checked against
// the NAR's hash. Throws Error(invalid_input) for others.
std::unique_ptr<Decompressor> make_decompressor(std::string_view compression, ByteSink sink,
                                                const DecompressorOptions& options = {});

}  // namespace flox::store
