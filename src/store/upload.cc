#include <fcntl.h>
#include <zstd.h>

#include <algorithm>
#include <atomic>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "nix/base32.h"
#include "nix/nar.h"
#include "store/binary_cache.h"
#include "store/local_store.h"
#include "store/parallel.h"
#include "store/reference_order.h"

namespace flox::store {
namespace {

constexpr int zstd_level = 3;  // the library's own default: uploads are as fast as the disk reads

// Compresses a stream into a file, and hashes the file.
class CompressedFile {
 public:
  explicit CompressedFile(const fs::path& path)
      : fd_(open_file(path.string(), O_WRONLY | O_CREAT | O_EXCL)),
        context_(ZSTD_createCCtx(), &ZSTD_freeCCtx) {
    if (!context_) fail(ErrorKind::internal, "out of memory for zstd");
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, zstd_level);
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
  }

  void write(std::string_view piece) { step(piece, ZSTD_e_continue); }
  Sha256Digest finish() {
    step({}, ZSTD_e_end);
    return hash_.finish();
  }
  uint64_t size() const noexcept { return size_; }

 private:
  void step(std::string_view piece, ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    for (;;) {
      ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
      const size_t left = ZSTD_compressStream2(context_.get(), &out, &in, directive);
      if (ZSTD_isError(left) != 0) fail(ErrorKind::internal, "zstd: {}", ZSTD_getErrorName(left));
      const std::string_view bytes(buffer_.data(), out.pos);
      write_all(fd_.get(), bytes);
      if (!bytes.empty()) hash_.update(bytes);
      size_ += bytes.size();
      if (directive == ZSTD_e_end ? left == 0 : in.pos == in.size) return;
    }
  }

  Fd fd_;
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context_;
  std::string buffer_ = std::string(256 * 1024, '\0');
  Sha256 hash_;
  uint64_t size_ = 0;
};

// Compresses and stores the path's NAR; gives its narinfo without our signature.
nix::NarInfo upload_nar(const LocalStore& store, BinaryCache& cache, const PathInfo& info) {
  const TempDir temporary("flox-upload-");
  const fs::path path = temporary.path() / "nar";
  CompressedFile file(path);
  Sha256 hash;
  uint64_t size = 0;
  nix::write_nar(store.real_path(info.path), [&](std::string_view piece) {
    hash.update(piece);
    size += piece.size();
    file.write(piece);
  });
  if (hash.finish() != info.nar_hash || size != info.nar_size)
    throw Error(ErrorKind::untrusted,
                fmt::format("{} is not what was registered: its files have changed", info.path.to_string()),
                "The disk or a program has damaged the store; 'flox store verify' lists all such paths.");
  nix::NarInfo narinfo{.info = info, .url = {}, .compression = "zstd"};
  narinfo.file_hash = file.finish();
  narinfo.file_size = file.size();
  narinfo.url = "nar/" + nix::to_base32(bytes_of(*narinfo.file_hash)) + ".nar.zst";
  cache.put(narinfo.url, path, "application/x-nix-nar");
  return narinfo;
}

void upload_narinfo(BinaryCache& cache, nix::NarInfo narinfo, const nix::SecretKey& key) {
  const std::string signature = key.sign(narinfo.info.fingerprint());
  std::erase_if(narinfo.info.signatures,
                [&](const std::string& other) { return other.starts_with(key.name + ":"); });
  narinfo.info.signatures.push_back(signature);
  const TempDir temporary("flox-upload-");
  write_file(temporary.path() / "narinfo", narinfo.to_string());
  cache.put(std::string(narinfo.info.path.digest()) + ".narinfo", temporary.path() / "narinfo",
            "text/x-nix-narinfo");
}

// What the cache lacks of a path: its narinfo, in a form that wants our signature.
struct Upload {
  nix::NarInfo narinfo;
  bool with_nar = false;  // the NAR was missing, too
};

std::optional<Upload> upload_files(const LocalStore& store, BinaryCache& cache, const PathInfo& info,
                                   const nix::TrustedKeys& ours) {
  auto known = cache.query(info.path);
  if (!known) return Upload{.narinfo = upload_nar(store, cache, info), .with_nar = true};
  if (known->info.fingerprint() != info.fingerprint())
    fail(ErrorKind::conflict, "the cache has {} with other contents", info.path.to_string());
  if (!ours.signer_of(known->info).empty()) return std::nullopt;
  return Upload{.narinfo = std::move(*known), .with_nar = false};
}

}  // namespace

UploadResult upload_closure(const LocalStore& store, BinaryCache& cache, const nix::StorePathSet& closure,
                            const nix::SecretKey& key) {
  return in_context(fmt::format("uploading to {}", cache.url()), [&] {
    cache.prepare();
    store.add_temp_roots(closure);
    std::vector<PathInfo> infos;
    for (const StorePath& path : closure) {
      auto info = store.query(path);
      if (!info) fail(ErrorKind::not_found, "{} is not in the store", path.to_string());
      infos.push_back(std::move(*info));
    }
    const std::vector<const PathInfo*> order = in_reference_order(infos);
    nix::TrustedKeys ours;
    ours.add(key.public_key());

    std::vector<std::optional<Upload>> uploads(order.size());
    std::atomic<size_t> next = 0;
    std::atomic<bool> stop = false;
    run_workers(
        static_cast<unsigned>(std::min<size_t>(worker_count(0), order.size())),
        [&](unsigned) {
          const auto own = cache.clone();
          for (size_t i; !stop && (i = next++) < order.size();)
            uploads[i] = upload_files(store, *own, *order[i], ours);
        },
        [&] { stop = true; });

    UploadResult result;
    for (const auto& upload : uploads) {
      if (upload) upload_narinfo(cache, upload->narinfo, key);
      if (upload && upload->with_nar) {
        ++result.paths_uploaded;
        result.bytes_uploaded += upload->narinfo.file_size.value_or(0);
      } else {
        ++result.paths_present;
      }
    }
    return result;
  });
}

}  // namespace flox::store
