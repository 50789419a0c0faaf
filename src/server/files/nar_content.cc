#include "server/files/nar_content.h"

#include <mutex>

#include "base/error.h"
#include "store/cache/decompress.h"

namespace flox::server {

NarContent unpack_nar(const std::string& name, const std::string& compression, uint64_t most,
                      const std::function<void(const ByteSink&)>& stream) {
  const auto unpack = [&](uint64_t memory) {
    NarContent content;
    Sha256 hash;
    const auto decompressor =
        store::make_decompressor(compression,
                                 [&](std::string_view piece) {
                                   content.size += piece.size();
                                   if (content.size > most)
                                     fail(ErrorKind::untrusted, "{} unpacks to more than its NarSize", name);
                                   hash.update(piece);
                                 },
                                 {.memory = memory});
    stream([&](std::string_view piece) { decompressor->feed(piece); });
    decompressor->finish();
    content.hash = hash.finish();
    return content;
  };
  try {
    return unpack(store::usual_decompressor_memory);
  } catch (const store::NeedsMemory&) {  // below, once it is nobody else's turn
  }
  static std::mutex large;
  const std::scoped_lock one_at_a_time(large);
  return unpack(store::decompressor_memory_limit);
}

}  // namespace flox::server
