// Decompression of NAR files, as a stream in bounded memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/bytes.h"

namespace flox::store {

// Pieces of the compressed file go in through `feed`, the decompressed ones out to the sink.
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

// `compression` as a narinfo names it: none, zstd, xz, bzip2, gzip, br. Files of several frames, streams or
// members are read to their end, and with `threads` above 1 by several threads where the file allows it (xz
// in several blocks). Checksums in the file are not compared: what comes out is checked against the NAR's
// hash. Throws Error(invalid_input) for others.
std::unique_ptr<Decompressor> make_decompressor(std::string_view compression, ByteSink sink,
                                                unsigned threads = 1);

}  // namespace flox::store
