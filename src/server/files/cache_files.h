// The binary cache that the catalog serves: files below DATA/cache, checked before they become visible.
//
// Published files never change: a NAR is named by its own hash, and an upload of an existing narinfo can only
// add valid signatures.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/net/server/http_server.h"
#include "base/os/directory.h"
#include "nix/narinfo.h"
#include "server/files/cache_access.h"
#include "server/records/registered_keys.h"

namespace flox::server {

struct CacheLimits {
  uint64_t max_upload = 16ULL << 30;  // bytes of one NAR file
  uint64_t max_store_bytes = 0;       // of all files below DATA; 0: what the file system holds
  uint64_t keep_free = 256ULL << 20;  // bytes that the file system keeps free
  std::chrono::hours orphan_age{24};  // a NAR that no narinfo names is removed after so long
};

// What a NAR file holds once it is decompressed.
struct NarContent {
  Sha256Digest hash{};
  uint64_t size = 0;
};

class NarUpload;

// Thread-safe: a file appears by one rename.
class CacheFiles {
 public:
  // `keys` must outlive it. Throws Error.
  CacheFiles(std::filesystem::path directory, const RegisteredKeys& keys, CacheLimits limits = {});

  // The file with that name, if there is one. Names that no cache has ("../x", "a/b") are not found.
  std::optional<std::filesystem::path> find(std::string_view name) const;

  // A sink for the upload of that file. Throws Error(invalid_input) for a name that no
  // cache has. The sink's write() throws StatusError: 413 over a limit, 507 if there is no space.
  std::shared_ptr<UploadSink> begin(std::string_view name);
  // Makes a complete upload of begin() visible. A NAR must be named by its own SHA-256; a narinfo must parse,
  // be signed by a registered key (any, if there are none), name a NAR that is here with the stated hash and
  // size, compressed and not, have all its references here, and say of a path that is here already just what
  // is known of it (it may add signatures: those that are there stay). Throws Error(invalid_input, untrusted,
  // not_found, conflict). Uploading the same again is fine. What the uploader may not read is not here, for
  // it.
  void accept(std::string_view name, UploadSink& upload, const CacheAccess& access = open_access);

  // The information on a path; nothing if its narinfo or its NAR is missing, or the narinfo is damaged.
  std::optional<nix::NarInfo> narinfo(const nix::StorePath& path) const;
  // The narinfos of all that the paths need, themselves too. Throws Error(invalid_input) naming what is not
  // here, or may not be read.
  std::vector<nix::NarInfo> closure(const nix::StorePathSet& paths,
                                    const CacheAccess& access = open_access) const;

  // Counts bytes that are about to be kept, here or in a database beside. Throws StatusError(507).
  void reserve(uint64_t bytes);
  void release(uint64_t bytes) noexcept { used_ -= bytes; }
  uint64_t used() const noexcept { return used_; }

  // Removes NARs that no narinfo has named for orphan_age, and tells their names. How many.
  size_t remove_orphans(const std::function<void(const std::string& name)>& told = {});

 private:
  friend class NarUpload;
  std::optional<nix::NarInfo> narinfo_of(std::string_view digest) const;
  void accept_nar(std::string_view name, NarUpload& upload, const CacheAccess& access);
  void accept_narinfo(std::string_view digest, const std::string& text, const CacheAccess& access);
  void check_narinfo(std::string_view digest, const nix::NarInfo& given, const CacheAccess& access);
  NarContent content_of(const nix::NarInfo& given, int fd);
  bool merge(std::string_view digest, const nix::NarInfo& given, const CacheAccess& access);
  void write(const nix::NarInfo& narinfo);
  void keep(int fd, const std::string& upload, const Directory& directory, const std::string& name);
  std::string upload_name();

  std::filesystem::path path_;
  const RegisteredKeys& keys_;
  CacheLimits limits_;
  Directory directory_, nars_, uploads_;
  std::atomic<uint64_t> used_{0};  // bytes below DATA
  std::atomic<uint64_t> upload_number_{0};
  std::atomic<int> unpacking_{0};  // uploads that are decompressed while they arrive
  std::mutex memory_mutex_;        // one unusually large decompressor at a time
  std::mutex mutex_;               // between reading what is known of a path and replacing it
  std::map<std::string, NarContent, std::less<>> contents_;  // by file name; of files that are here
};

}  // namespace flox::server
