// The binary cache that the catalog serves: files in an object store, checked before they become visible.
//
// Published files never change: a NAR or index is named by its own hash, and an upload of an existing narinfo
// can only add valid signatures and an index.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/net/server/http_server.h"
#include "nix/narinfo.h"
#include "server/files/cache_access.h"
#include "server/files/hot_files.h"
#include "server/files/object_store.h"
#include "server/records/nars.h"
#include "server/records/registered_keys.h"

namespace flox::server {

struct CacheLimits {
  uint64_t max_upload = 16ULL << 30;  // bytes of one NAR file
  uint64_t max_store_bytes = 0;       // of all files and the database; 0: what the store holds
  uint64_t database_bytes = 0;        // what the database has at the start, if that counts
  uint64_t keep_free = 256ULL << 20;  // bytes that the file system of the spool keeps free
  std::chrono::hours orphan_age{24};  // a NAR that no narinfo names is removed after so long
};

class NarUpload;

// Thread-safe, also against other catalogs with the same store and database: nothing that they must know
// stays in this process.
class CacheFiles {
 public:
  // The references must outlive it. Removes from the store's spool what an earlier process left. Throws
  // Error.
  CacheFiles(ObjectStore& store, NarRecords& nars, const RegisteredKeys& keys, CacheLimits limits = {});

  // Whether a cache may have a file of that name: not "../x" or "a/b".
  static bool is_name(std::string_view name);
  // The file with that name, if there is one.
  std::optional<ServedObject> find(std::string_view name) const;

  // The bytes of that file if it is a small one: a narinfo, or a NAR that the store does not rather have
  // fetched from itself; null otherwise, also if it is missing. Of one that is everyone's, hot_file() gives
  // them for a moment; `changes` are those of before that was asked.
  HotFiles::Text small_file(const std::string& name, std::optional<uint64_t> changes) const;
  // What serve() has named, open; null if it is gone. For everyone's only: hot_file() gives it for a moment,
  // as above.
  std::shared_ptr<const OpenedFile> open(const std::string& name, const std::filesystem::path& file,
                                         uint64_t changes) const;
  // How often a file came or went.
  uint64_t changes() const { return hot_.changes(); }
  // From memory, or open already, if it is there; neither otherwise. Never blocks.
  HotFiles::File hot_file(std::string_view name) const { return hot_.find(name); }

  // A sink for the upload of that file. Throws Error(invalid_input) for a name that no
  // cache has. The sink's write() throws StatusError: 413 over a limit, 507 if there is no space.
  std::shared_ptr<UploadSink> begin(std::string_view name);
  // Makes a complete upload of begin() visible. A NAR or index must be named by its own SHA-256; a narinfo
  // must parse, be signed by a registered key (any, if there are none), name a NAR that is here with the
  // stated hash and size, compressed and not, have all its references here, and say of a path that is here
  // already just what is known of it (it may add signatures: those that are there stay; and an index, if it
  // has none). An index must be here and be that of the NAR file, which is read for that; without a signature
  // of a registered key of its own it is left out. Throws Error(invalid_input, untrusted, not_found,
  // conflict). Uploading the same again is fine. What the uploader may not read is not here, for it.
  void accept(std::string_view name, UploadSink& upload, const CacheAccess& access = open_access);

  // The information on a path; nothing if its narinfo or its NAR is missing, or the narinfo is damaged.
  std::optional<nix::NarInfo> narinfo(const nix::StorePath& path) const;
  // The same of those of the paths that narinfo() gives something for.
  std::map<nix::StorePath, nix::NarInfo> narinfos(const nix::StorePathSet& paths) const;
  // Those of them that may be read, too.
  nix::StorePathSet among(const nix::StorePathSet& paths, const CacheAccess& access) const;
  // The narinfos of all that the paths need, themselves too. Throws Error(invalid_input) naming what is not
  // here, or may not be read, and for a closure of over `most` paths.
  std::vector<nix::NarInfo> closure(const nix::StorePathSet& paths, const CacheAccess& access = open_access,
                                    size_t most = static_cast<size_t>(-1)) const;

  // Bytes that are about to be kept, here or in a database beside: reserved first, then kept or released.
  // reserve() throws StatusError(507).
  void reserve(uint64_t bytes);
  void keep(uint64_t bytes) noexcept;
  void release(uint64_t bytes) noexcept { reserved_ -= bytes; }
  uint64_t used() const noexcept { return used_ + reserved_; }
  // What is said about paths that are collected.
  RemovalMarks& marks() const noexcept { return nars_.marks(); }
  // Takes the marks off what the paths need, as far as it is here (RemovalMarks::keep).
  void keep(const nix::StorePathSet& paths) const;
  void keep(const std::set<std::string>& digests) const;
  // The digests of a closure that was read, and of further paths with all that they need, as far as it is
  // here: what is in the closure is not read again.
  std::vector<std::string> digests_of(const std::vector<nix::NarInfo>& closure,
                                      const std::set<std::string>& further) const;
  std::chrono::hours orphan_age() const noexcept { return limits_.orphan_age; }
  // Counts what other catalogs have added to the store. Throws Error(unavailable).
  void count_again();
  // Throws Error(unavailable) if the store does not answer.
  void check() const { store_.check(); }

  // Removes NARs that no narinfo has named for orphan_age before `now`. How many.
  size_t remove_orphans(Clock::time_point now = Clock::now());

 private:
  friend class NarUpload;
  friend class Collector;
  // A narinfo that is there, and what it says if that is of use.
  struct Known {
    std::string version;
    uint64_t size = 0;
    std::optional<nix::NarInfo> narinfo;
  };
  // Of these paths but for what is known already, which with all that it needs is not looked at.
  RemovalMarks::Needed needs_of(const std::set<std::string>& digests,
                                std::set<std::string> known_already = {}) const;
  // Says in the log that there is no space.
  void tell_full(std::string_view why, uint64_t bytes);
  // Also out of what is kept in memory.
  void remove_file(const std::string& name) const;
  std::vector<Known> known(const std::vector<std::string>& digests) const;
  std::vector<std::optional<nix::NarInfo>> in_order(const std::vector<nix::StorePath>& paths) const;
  template <typename Take>
  void each_batch(const nix::StorePathSet& paths, const Take& take) const;
  void accept_nar(const std::string& name, NarUpload& upload, const CacheAccess& access);
  void accept_narinfo(std::string_view digest, const std::string& text, const CacheAccess& access);
  void take_narinfo(std::string_view digest, const nix::NarInfo& given, const CacheAccess& access);
  bool is_whole(const nix::NarInfo& given) const;
  void check_narinfo(std::string_view digest, const nix::NarInfo& given, const CacheAccess& access);
  NarContent content_of(const nix::NarInfo& given, uint64_t file_size);
  std::vector<std::string> believed(const std::string& message,
                                    const std::vector<std::string>& signatures) const;
  void keep_valid_index(nix::NarInfo& given) const;
  void check_index(const nix::NarInfo& given, const CacheAccess& access) const;
  void merge_index(nix::NarInfo& result, const nix::NarInfo& given, const CacheAccess& access) const;
  std::optional<nix::NarInfo> merged(const nix::NarInfo& known, const nix::NarInfo& given,
                                     const CacheAccess& access) const;
  bool write(const nix::NarInfo& narinfo, const Known& before);
  void forget(uint64_t bytes) noexcept;
  std::vector<std::string> orphans(Clock::time_point before);
  std::string upload_name();

  ObjectStore& store_;
  NarRecords& nars_;
  const RegisteredKeys& keys_;
  CacheLimits limits_;
  mutable HotFiles hot_;
  std::atomic<uint64_t> used_{0};      // bytes of all files, and of what lies beside them
  std::atomic<uint64_t> reserved_{0};  // bytes on their way in
  std::atomic<int64_t> told_full_{0};  // when the log was told last that there is no space, seconds; 0: never
  std::atomic<uint64_t> upload_number_{0};
  std::atomic<int> unpacking_{0};  // uploads that are decompressed while they arrive
};

}  // namespace flox::server
