#include "store/cache/upload.h"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "nix/cache_layout.h"
#include "nix/listing.h"
#include "nix/nar.h"
#include "store/local/link_check.h"
#include "store/local/parallel.h"
#include "store/local/reference_order.h"

namespace flox::store {
namespace {

[[noreturn]] void fail_changed(const PathInfo& info) {
  throw Error(
      ErrorKind::untrusted,
      fmt::format("{} does not have its registered hash: its files have changed", info.path.to_string()),
      "Run 'flox store verify --repair' to fetch it again: the disk or a program has damaged the store.");
}

// What the cache lacks of a path: its narinfo, in a form that wants our signature, and perhaps the NAR.
struct Upload {
  nix::NarInfo narinfo;
  bool with_nar = false;
};

class Uploader {
 public:
  Uploader(const LocalStore& store, BinaryCache& cache, const std::vector<PathInfo>& infos,
           const UploadOptions& options)
      : store_(store),
        cache_(cache),
        options_(options),
        order_(in_reference_order(infos)),
        uploads_(order_.size()),
        workers_(worker_count(options.workers)) {
    if (options.key != nullptr) ours_.add(options.key->public_key());
    progress_.paths_total = infos.size();
    for (const PathInfo& info : infos) progress_.bytes_total += info.nar_size;
  }

  UploadResult run() {
    upload_nars();
    upload_narinfos();
    UploadResult result;
    for (const auto& upload : uploads_) {
      if (upload && upload->with_nar) {
        ++result.paths_uploaded;
        result.bytes_uploaded += upload->narinfo.file_size.value_or(0);
      } else {
        ++result.paths_present;
      }
    }
    return result;
  }

 private:
  // Calls `body` for each index, on all workers, each with a connection of its own.
  void for_each(const std::vector<size_t>& indices, const std::function<void(BinaryCache&, size_t)>& body) {
    std::atomic<size_t> next = 0;
    std::atomic<bool> stop = false;
    run_workers(
        static_cast<unsigned>(std::min<size_t>(workers_, indices.size())),
        [&](unsigned) {
          const auto own = cache_.clone();
          for (size_t i; !stop && (i = next++) < indices.size();) body(*own, indices[i]);
        },
        [&] { stop = true; });
  }

  // The largest first: what comes last should not keep one core busy while the others are idle.
  void upload_nars() {
    std::vector<size_t> indices(order_.size());
    for (size_t i = 0; i < indices.size(); ++i) indices[i] = i;
    std::ranges::stable_sort(indices, std::ranges::greater{}, [&](size_t i) { return order_[i]->nar_size; });
    for_each(indices, [&](BinaryCache& cache, size_t i) {
      uploads_[i] = missing_of(cache, *order_[i]);
      report(*order_[i]);
    });
  }

  // What the cache lacks; the NAR is uploaded by then.
  std::optional<Upload> missing_of(BinaryCache& cache, const PathInfo& info) {
    auto known = cache.query(info.path);
    if (!known && options_.links_stay_inside) require_links_inside(store_, info.path);
    if (!known) return Upload{.narinfo = upload_nar(cache, info), .with_nar = true};
    if (known->info.fingerprint() != info.fingerprint())
      fail(ErrorKind::conflict, "the cache has {} with other contents", info.path.to_string());
    if (options_.key == nullptr || !ours_.signer_of(known->info).empty()) return std::nullopt;
    return Upload{.narinfo = std::move(*known), .with_nar = false};
  }

  nix::NarInfo upload_nar(BinaryCache& cache, const PathInfo& info) {
    const TempDir temporary("flox-upload-");
    const fs::path path = temporary.path() / "nar";
    nix::NarInfo narinfo{.info = info, .url = {}, .compression = options_.compression.method};
    compress_nar(info, path, narinfo);
    narinfo.url = nix::nar_file_name(*narinfo.file_hash, options_.compression.method);
    put(cache, narinfo.url, path);
    if (options_.listings) {
      write_file(path, nix::list_tree(store_.real_path(info.path)).to_json());
      put(cache, nix::listing_name(info.path), path);
    }
    return narinfo;
  }

  void compress_nar(const PathInfo& info, const fs::path& to, nix::NarInfo& narinfo) const {
    const Fd fd = open_file(to, O_WRONLY | O_CREAT | O_EXCL);
    Sha256 file_hash;
    uint64_t file_size = 0;
    const auto compressor =
        make_compressor(options_.compression, info.nar_size, workers_, [&](std::string_view piece) {
          write_all(fd.get(), piece);
          file_hash.update(piece);
          file_size += piece.size();
        });
    Sha256 hash;
    uint64_t size = 0;
    nix::write_nar(store_.real_path(info.path), [&](std::string_view piece) {
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

  // In waves: a path's narinfo after all of those that it refers to.
  void upload_narinfos() {
    std::map<StorePath, size_t> depth;
    std::vector<std::vector<size_t>> waves;
    for (size_t i = 0; i < order_.size(); ++i) {
      size_t own = 0;
      for (const StorePath& reference : order_[i]->references)
        if (const auto found = depth.find(reference); found != depth.end())
          own = std::max(own, found->second + 1);
      depth.emplace(order_[i]->path, own);
      if (waves.size() <= own) waves.resize(own + 1);
      if (uploads_[i]) waves[own].push_back(i);
    }
    for (const std::vector<size_t>& wave : waves)
      for_each(wave, [&](BinaryCache& cache, size_t i) { upload_narinfo(cache, uploads_[i]->narinfo); });
  }

  void upload_narinfo(BinaryCache& cache, nix::NarInfo& narinfo) const {
    if (options_.key != nullptr) nix::sign(narinfo.info, *options_.key);
    const TempDir temporary("flox-upload-");
    write_file(temporary.path() / "narinfo", narinfo.to_string());
    put(cache, nix::narinfo_name(narinfo.info.path), temporary.path() / "narinfo");
  }

  static void put(BinaryCache& cache, const std::string& name, const fs::path& file) {
    cache.put(name, file, nix::media_type_of(name));
  }

  void report(const PathInfo& info) {
    const std::lock_guard lock(mutex_);
    ++progress_.paths_done;
    progress_.bytes_done += info.nar_size;
    if (options_.on_progress) options_.on_progress(progress_);
  }

  const LocalStore& store_;
  BinaryCache& cache_;
  const UploadOptions& options_;
  std::vector<const PathInfo*> order_;
  std::vector<std::optional<Upload>> uploads_;
  unsigned workers_;
  nix::TrustedKeys ours_;
  std::mutex mutex_;
  UploadProgress progress_;
};

}  // namespace

UploadResult upload_closure(const LocalStore& store, BinaryCache& cache, const nix::StorePathSet& closure,
                            const UploadOptions& options) {
  return in_context(fmt::format("uploading to {}", cache.url()), [&] {
    cache.prepare();
    store.add_temp_roots(closure);
    std::vector<PathInfo> infos;
    for (const StorePath& path : closure) {
      auto info = store.query(path);
      if (!info) fail(ErrorKind::not_found, "{} is not in the store", path.to_string());
      infos.push_back(std::move(*info));
    }
    return Uploader(store, cache, infos, options).run();
  });
}

UploadResult upload_closure(const LocalStore& store, BinaryCache& cache, const nix::StorePathSet& closure,
                            const nix::SecretKey& key) {
  return upload_closure(store, cache, closure, UploadOptions{.key = &key, .links_stay_inside = true});
}

}  // namespace flox::store
