#include "server/files/index_check.h"

#include <mutex>

#include "base/error.h"
#include "server/files/index_comparison.h"
#include "store/index/nar_index.h"

namespace flox::server {
namespace {

std::mutex index_turn;  // held by whoever has an index unpacked

}  // namespace

void check_index_file(std::string_view file, const nix::NarInfo& narinfo,
                      const std::function<void(const ByteSink&)>& stream) {
  const std::scoped_lock one_at_a_time(index_turn);
  const store::NarIndex index = store::NarIndex::unpack(file);
  if (sha256(file) != narinfo.index_hash || index.nar_hash != narinfo.info.nar_hash ||
      index.nar_size != narinfo.info.nar_size || index.file_hash != narinfo.file_hash ||
      index.file_size != narinfo.file_size || narinfo.compression != "zstd")
    fail(ErrorKind::untrusted, "it is not the index of {}", narinfo.url);
  in_context(fmt::format("comparing it with {}", narinfo.url), [&] {
    IndexComparison comparison(index);
    stream([&](std::string_view piece) { comparison.feed(piece); });
    comparison.finish();
  });
}

Sha256Digest nar_file_of_index(std::string_view file) {
  const std::scoped_lock one_at_a_time(index_turn);
  return store::NarIndex::unpack(file).file_hash;
}

}  // namespace flox::server
