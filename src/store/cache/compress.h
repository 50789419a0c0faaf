// Compression streams, for uploading to binary caches.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/data/bytes.h"

namespace flox::store {

struct Compression {
  std::string method = "zstd";  // none, zstd, xz
  int level = 0;                // 0: the method's usual one (zstd 3, xz 6, as Nix has them)
};

// One stream. One thread at a time, though it may use others itself.
class Compressor {
 public:
  virtual ~Compressor() = default;
  virtual void feed(std::string_view piece) = 0;
  // Writes the rest to the sink. Call once.
  virtual void finish() = 0;
};

// For a stream of exactly `size` bytes, compressed by up to `threads` threads. Throws Error(invalid_input)
// for an unknown method or level.
std::unique_ptr<Compressor> make_compressor(const Compression& compression, uint64_t size, unsigned threads,
                                            ByteSink sink);

}  // namespace flox::store
