#include "store/cache/upload.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/error.h"
#include "store/cache/upload_path.h"
#include "store/local/link_check.h"
#include "store/local/parallel.h"
#include "store/local/reference_order.h"

namespace flox::store {
namespace {

// What the cache lacks of a path: its narinfo, in a form that wants our signature, and perhaps the NAR.
struct Upload {
  nix::NarInfo narinfo;
  bool with_nar = false;  // it was sent
};

// What the cache lacks, on several threads: all NARs, then the narinfos.
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
    if (!known) {
      UploadedNar uploaded = upload_nar(store_, cache, info,
                                        {.compression = options_.compression,
                                         .listing = options_.listings,
                                         // Nobody believes an index without a signature.
                                         .index = options_.key != nullptr,
                                         .workers = workers_});
      return Upload{.narinfo = std::move(uploaded.narinfo), .with_nar = uploaded.was_sent};
    }
    if (known->info.fingerprint() != info.fingerprint())
      fail(ErrorKind::conflict, "the cache has {} with other contents", info.path.to_string());
    if (options_.key == nullptr || !ours_.signer_of(known->info).empty()) return std::nullopt;
    return Upload{.narinfo = std::move(*known), .with_nar = false};
  }

  // A path's narinfo after those of all that it refers to.
  void upload_narinfos() {
    for (std::vector<size_t>& wave : in_waves(order_)) {
      std::erase_if(wave, [&](size_t i) { return !uploads_[i]; });
      for_each(wave, [&](BinaryCache& cache, size_t i) {
        upload_narinfo(cache, uploads_[i]->narinfo, options_.key);
      });
    }
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
