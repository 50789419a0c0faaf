// A file of the cache while it is uploaded: hashed, decompressed and counted as its bytes arrive.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/fd.h"
#include "server/files/cache_files.h"
#include "store/cache/decompress.h"

namespace flox::server {

// A narinfo: small, so in memory.
class NarInfoUpload : public UploadSink {
 public:
  void write(std::string_view piece) override;
  std::string text;  // at most nix::max_narinfo_size
};

// A NAR file, or an index, in a temporary file.
class NarUpload : public UploadSink {
 public:
  // An index has no compression: it is not unpacked. `name`: in the spool, if the file has to have one.
  NarUpload(CacheFiles& cache, std::string name, std::optional<std::string> compression);
  NarUpload(const NarUpload&) = delete;
  NarUpload& operator=(const NarUpload&) = delete;
  ~NarUpload() override;  // removes the file unless it was kept
  void write(std::string_view piece) override;

  // Call once, after the last piece.
  Sha256Digest file_hash() { return hash_.finish(); }
  // What it unpacks to, if that was found while it arrived. Throws Error(invalid_input) if it is damaged.
  std::optional<NarContent> content();
  // What was received, with `hash` of file_hash().
  SpooledFile spooled(const Sha256Digest& hash);
  // Its bytes stay counted; `moved`: what name it had in the spool is gone.
  void kept(bool moved) noexcept;

 private:
  void open();
  Fd open_spooled();
  void unpack(std::string_view piece);

  CacheFiles& cache_;
  std::optional<std::string> compression_;
  std::string file_name_;  // in the store's spool; empty: it has none
  Fd fd_;
  bool is_kept_ = false;
  bool is_moved_ = false;
  Sha256 hash_;
  uint64_t size_ = 0;
  std::unique_ptr<store::Decompressor> decompressor_;
  std::optional<Error> damage_;
  Sha256 nar_hash_;
  uint64_t nar_size_ = 0;
};

}  // namespace flox::server
