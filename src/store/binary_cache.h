// Binary caches: where store paths come from and go to (nix.md 3).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "nix/narinfo.h"
#include "nix/signature.h"

namespace flox::store {

class LocalStore;

// One cache, by URL: http://, https:// or file://. One thread at a time; `clone` makes one for another
// thread.
class BinaryCache {
 public:
  virtual ~BinaryCache() = default;
  // Throws Error(invalid_input) for a URL that is none of these. `token` is sent as a bearer token if not
  // empty.
  static std::unique_ptr<BinaryCache> open(std::string_view url, std::string_view token = {});

  virtual std::unique_ptr<BinaryCache> clone() const = 0;
  virtual const std::string& url() const noexcept = 0;
  // Nothing if the cache does not have the path (404, 403). Throws Error(unavailable) if it cannot be asked,
  // invalid_input if it answers nonsense.
  virtual std::optional<nix::NarInfo> query(const nix::StorePath& path) = 0;
  // Streams the compressed NAR file. Throws Error.
  virtual void fetch(const nix::NarInfo& info, const ByteSink& sink) = 0;
  // Makes the cache ready for `put`, if that is ours to do: a directory is made, a server is there already.
  virtual void prepare() {}
  // Stores a file of the cache ("nar/….nar.zst", "….narinfo"), replacing it as a whole. Throws
  // Error(untrusted) if the cache does not let us.
  virtual void put(std::string_view name, const std::filesystem::path& file,
                   std::string_view content_type) = 0;
};

struct UploadResult {
  uint64_t paths_uploaded = 0;
  uint64_t paths_present = 0;   // the cache had them
  uint64_t bytes_uploaded = 0;  // compressed
};

// Signs and uploads the closure: each NAR (zstd), then its narinfo after those of its references, so that a
// path that the cache has, it has with all that it refers to. Throws Error; untrusted if a path's files are
// no longer what was registered.
UploadResult upload_closure(const LocalStore& store, BinaryCache& cache, const nix::StorePathSet& closure,
                            const nix::SecretKey& key);

}  // namespace flox::store
