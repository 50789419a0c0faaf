#include "server/files/index_check.h"

#include <mutex>

#include "base/error.h"
#include "store/index/nar_index.h"

namespace flox::server {

void check_index_file(std::string_view file, const nix::NarInfo& narinfo) {
  static std::mutex large;
  const std::scoped_lock one_at_a_time(large);
  const store::NarIndex index = store::NarIndex::unpack(file);
  if (sha256(file) != narinfo.index_hash || index.nar_hash != narinfo.info.nar_hash ||
      index.nar_size != narinfo.info.nar_size || index.file_hash != narinfo.file_hash ||
      index.file_size != narinfo.file_size)
    fail(ErrorKind::untrusted, "it is not the index of {}", narinfo.url);
}

}  // namespace flox::server
