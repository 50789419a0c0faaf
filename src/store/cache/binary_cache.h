// Binary caches: where store paths come from and go to (docs/formats/binary-cache.md).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/data/bytes.h"
#include "base/data/secret.h"
#include "base/error.h"
#include "nix/narinfo.h"
#include "nix/signature.h"
#include "store/cache/cache_url.h"

namespace flox::store {

class LocalStore;

// What a cache says when it is asked for one of its small files: the text, that it has none, or why it cannot
// say.
struct CacheAnswer {
  std::optional<std::string> text;
  std::optional<Error> error;
};

// A compressed NAR file on its way from a cache. One thread at a time.
class NarFile {
 public:
  virtual ~NarFile() = default;
  // Waits for the next piece; false at the end. Throws Error.
  virtual bool read(std::string& piece) = 0;
  // Whether it does not wait any more: all of the file has arrived, or it failed.
  virtual bool is_there() const = 0;
};

// One cache, by URL (CacheUrl). Thread-safe.
class BinaryCache {
 public:
  virtual ~BinaryCache() = default;
  // Throws Error(invalid_input) for a URL that is none of a cache's. `token` is sent as a bearer token if not
  // empty, otherwise that of the URL's token-file. This reads all files of secrets that the cache will need
  // (its token, netrc, AWS's keys), and nothing after it does: a process may give up its right to read files
  // between this and the first request. Throws Error if such a file must not be used.
  static std::unique_ptr<BinaryCache> open(std::string_view url, const Secret& token = {});

  virtual std::unique_ptr<BinaryCache> clone() const = 0;
  const CacheUrl& settings() const noexcept { return settings_; }
  const std::string& url() const noexcept { return settings_.text; }
  // Whether asking takes long enough for answers to be worth remembering.
  virtual bool is_remote() const noexcept = 0;

  // The most bytes that this small file of a cache may have (nix/cache_layout.h).
  static size_t limit_of(std::string_view name);
  // Asks for a small file; `done` is called once, on this or another thread, and must return at once. Absent
  // is what the cache does not have (404, 410, and 403, which S3 says for absent files).
  virtual void ask(const std::string& name, std::function<void(CacheAnswer)> done) = 0;
  // The same, waiting.
  CacheAnswer ask(const std::string& name);
  // Nothing if the cache does not have the path. Throws Error(unavailable) if it cannot be asked,
  // invalid_input if it answers nonsense.
  std::optional<nix::NarInfo> query(const nix::StorePath& path);

  // Begins to fetch the NAR file; up to `buffer` bytes come before they are read. Throws Error.
  virtual std::unique_ptr<NarFile> open_nar(const nix::NarInfo& info, size_t buffer) = 0;
  // Begins to fetch a part of it, not empty, of which `buffer` bytes come before they are read. Throws Error;
  // its read() throws Error(unavailable) if the cache gives anything else than this part, or less. Of a cache
  // that has no parts that is thrown here.
  struct Part {
    uint64_t first = 0;  // bytes
    uint64_t size = 0;
  };
  virtual std::unique_ptr<NarFile> open_part(const nix::NarInfo& info, const Part& part, size_t buffer);
  // Streams the compressed NAR file. Throws Error.
  void fetch(const nix::NarInfo& info, const ByteSink& sink);

  // Whether the cache has the NAR file, as far as that can be asked for less than storing it costs. What is
  // named by its hash need not be stored again: so an upload that was cut off goes on where it was.
  virtual bool has_nar(const std::string& name) {
    static_cast<void>(name);
    return false;
  }
  // Makes the cache ready for `put`, if that is ours to do: a directory is made, a server is there already.
  virtual void prepare() {}
  // Stores a file of the cache ("nar/….nar.zst", "….narinfo"), replacing it as a whole. Throws
  // Error(untrusted) if the cache does not let us.
  virtual void put(std::string_view name, const std::filesystem::path& file,
                   std::string_view content_type) = 0;

 protected:
  explicit BinaryCache(CacheUrl settings) : settings_(std::move(settings)) {}

 private:
  CacheUrl settings_;
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
