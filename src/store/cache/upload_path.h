// One path on its way to a binary cache: its NAR, and its narinfo.
#pragma once

#include "nix/narinfo.h"
#include "nix/signature.h"
#include "store/cache/binary_cache.h"
#include "store/cache/compress.h"
#include "store/local/local_store.h"

namespace flox::store {

struct NarUpload {
  Compression compression;
  bool listing = false;  // also put DIGEST.ls, what is in the NAR and where
  unsigned workers = 1;  // threads that may compress one NAR
};

struct UploadedNar {
  nix::NarInfo narinfo;  // with the store's signatures
  bool was_sent = true;  // false: the cache had the file already
};

// Uploads the path's NAR, which is read once: hashed, compressed and hashed again as it streams into a
// temporary file. Throws Error; untrusted if the path's files are no longer what was registered.
UploadedNar upload_nar(const LocalStore& store, BinaryCache& cache, const PathInfo& info,
                       const NarUpload& how);

// Signs with the key, if one is given, in place of that key's earlier signature, and uploads.
void upload_narinfo(BinaryCache& cache, nix::NarInfo narinfo, const nix::SecretKey* key);

}  // namespace flox::store
