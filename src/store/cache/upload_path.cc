#include "store/cache/upload_path.h"

#include <fcntl.h>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "nix/base32.h"
#include "nix/listing.h"
#include "nix/nar.h"

namespace flox::store {
namespace {

[[noreturn]] void fail_changed(const PathInfo& info) {
  throw Error(ErrorKind::untrusted,
              fmt::format("{} is not what was registered: its files have changed", info.path.to_string()),
              "The disk or a program has damaged the store: 'flox store verify --repair' mends what a cache "
              "has.");
}

// Reads the path's NAR once; fills in the hash and size of the file.
void compress_nar(const LocalStore& store, const PathInfo& info, const NarUpload& how, const fs::path& to,
                  nix::NarInfo& narinfo) {
  const Fd fd = open_file(to, O_WRONLY | O_CREAT | O_EXCL);
  Sha256 file_hash;
  uint64_t file_size = 0;
  const auto compressor =
      make_compressor(how.compression, info.nar_size, how.workers, [&](std::string_view piece) {
        write_all(fd.get(), piece);
        file_hash.update(piece);
        file_size += piece.size();
      });
  Sha256 hash;
  uint64_t size = 0;
  nix::write_nar(store.real_path(info.path), [&](std::string_view piece) {
    size += piece.size();
    if (size > info.nar_size) fail_changed(info);
    hash.update(piece);
    compressor->feed(piece);
  });
  if (size != info.nar_size || hash.finish() != info.nar_hash) fail_changed(info);
  compressor->finish();
  narinfo.file_hash = file_hash.finish();
  narinfo.file_size = file_size;
}

}  // namespace

nix::NarInfo upload_nar(const LocalStore& store, BinaryCache& cache, const PathInfo& info,
                        const NarUpload& how) {
  const TempDir temporary("flox-upload-");
  const fs::path path = temporary.path() / "nar";
  nix::NarInfo narinfo{.info = info, .url = {}, .compression = how.compression.method};
  compress_nar(store, info, how, path, narinfo);
  narinfo.url =
      fmt::format("nar/{}.nar{}", nix::to_base32(bytes_of(*narinfo.file_hash)), how.compression.suffix());
  cache.put(narinfo.url, path, "application/x-nix-nar");
  if (how.listing) {
    write_file(path, nix::list_tree(store.real_path(info.path)).to_json());
    cache.put(std::string(info.path.digest()) + ".ls", path, "application/json");
  }
  return narinfo;
}

void upload_narinfo(BinaryCache& cache, nix::NarInfo narinfo, const nix::SecretKey* key) {
  if (key != nullptr) {
    std::erase_if(narinfo.info.signatures,
                  [&](const std::string& other) { return other.starts_with(key->name + ":"); });
    narinfo.info.signatures.push_back(key->sign(narinfo.info.fingerprint()));
  }
  const TempDir temporary("flox-upload-");
  write_file(temporary.path() / "narinfo", narinfo.to_string());
  cache.put(std::string(narinfo.info.path.digest()) + ".narinfo", temporary.path() / "narinfo",
            "text/x-nix-narinfo");
}

}  // namespace flox::store
