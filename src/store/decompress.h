// Decompression of NAR files, as a stream in bounded memory.
#pragma once

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
  // Throws Error(invalid_input) if the file was cut off.
  virtual void finish() = 0;
};

// `compression` as a narinfo names it: none, zstd, xz, bzip2, gzip, br. Files of several frames, streams or
// members are read to their end. Throws Error(invalid_input) for others.
std::unique_ptr<Decompressor> make_decompressor(std::string_view compression, ByteSink sink);

}  // namespace flox::store
