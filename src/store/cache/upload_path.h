// One path on its way to a binary cache: its NAR, and its narinfo.
#pragma once

#include <functional>

#include "nix/narinfo.h"
#include "nix/signature.h"
#include "store/cache/binary_cache.h"
#include "store/cache/compress.h"
#include "store/local/local_store.h"

namespace flox::store {

struct NarUpload {
  Compression compression;
  bool listing = false;  // also put DIGEST.ls, what is in the NAR and where
  // With zstd: also put the file's index (docs/formats/nar-index.md), which the narinfo then names.
  bool index = false;
  unsigned workers = 1;  // threads that may compress one NAR
};

struct UploadedNar {
  nix::NarInfo narinfo;  // with the path's signatures, and none of the index
  bool was_sent = true;  // false: the cache had the file already
};

// Uploads the path's NAR, which is read once: hashed, compressed and hashed again as it streams into a
// temporary file. Throws Error; untrusted if the path's files are no longer what was registered.
UploadedNar upload_nar(const LocalStore& store, BinaryCache& cache, const PathInfo& info,
                       const NarUpload& how);
// The same of a NAR that `write` gives to a sink, without a listing. Throws what `write` throws, and
// Error(untrusted) if it gives another NAR than `info` says.
UploadedNar upload_nar(BinaryCache& cache, const PathInfo& info, const NarUpload& how,
                       const std::function<void(const ByteSink&)>& write);

// Signs the path and the index with the key, if one is given, in place of that key's earlier signatures, and
// uploads.
void upload_narinfo(BinaryCache& cache, nix::NarInfo narinfo, const nix::SecretKey* key);

}  // namespace flox::store
