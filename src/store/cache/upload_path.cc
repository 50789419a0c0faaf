#include "store/cache/upload_path.h"

#include <fcntl.h>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "nix/cache_layout.h"
#include "nix/listing.h"
#include "nix/nar.h"

namespace flox::store {
namespace {

[[noreturn]] void fail_changed(const PathInfo& info) {
  throw Error(
      ErrorKind::untrusted,
      fmt::format("{} does not have its registered hash: its files have changed", info.path.to_string()),
      "Run 'flox store verify --repair' to fetch it again: the disk or a program has damaged the store.");
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

void put(BinaryCache& cache, const std::string& name, const fs::path& file) {
  cache.put(name, file, nix::media_type_of(name));
}

}  // namespace

UploadedNar upload_nar(const LocalStore& store, BinaryCache& cache, const PathInfo& info,
                       const NarUpload& how) {
  const TempDir temporary("flox-upload-");
  const fs::path path = temporary.path() / "nar";
  UploadedNar uploaded{.narinfo = {.info = info, .url = {}, .compression = how.compression.method},
                       .was_sent = true};
  nix::NarInfo& narinfo = uploaded.narinfo;
  compress_nar(store, info, how, path, narinfo);
  narinfo.url = nix::nar_file_name(*narinfo.file_hash, how.compression.method);
  uploaded.was_sent = !cache.has_nar(narinfo.url);
  if (uploaded.was_sent) put(cache, narinfo.url, path);
  if (how.listing) {
    write_file(path, nix::list_tree(store.real_path(info.path)).to_json());
    put(cache, nix::listing_name(info.path), path);
  }
  return uploaded;
}

void upload_narinfo(BinaryCache& cache, nix::NarInfo narinfo, const nix::SecretKey* key) {
  if (key != nullptr) nix::sign(narinfo.info, *key);
  const TempDir temporary("flox-upload-");
  write_file(temporary.path() / "narinfo", narinfo.to_string());
  put(cache, nix::narinfo_name(narinfo.info.path), temporary.path() / "narinfo");
}

}  // namespace flox::store
