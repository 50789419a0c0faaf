#include "store/realise.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <map>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "nix/nar.h"
#include "store/decompress.h"
#include "store/parallel.h"
#include "store/reference_order.h"
#include "store/staging.h"
#include "store/substitutes.h"
#include "store/work_directory.h"

namespace flox::store {
namespace {

constexpr int fetch_attempts = 3;  // at one cache, if the transfer breaks
constexpr auto retry_pause = std::chrono::milliseconds(200);
constexpr auto progress_interval = std::chrono::milliseconds(100);
// Paths registered in one transaction. Each needs an open lock file, and 1024 descriptors are all that many
// systems give a process; larger closures go in parts, references first.
constexpr size_t install_at_once = 400;

// Thrown in the other workers when one has failed; nobody sees it.
struct Stopped {};

// Counts for `on_progress`, thread-safe.
class Progress {
 public:
  Progress(const RealiseOptions& options, const std::vector<Substitute>& missing)
      : report_(options.on_progress) {
    now_.paths_total = missing.size();
    for (const Substitute& substitute : missing) now_.bytes_total += substitute.narinfo.file_size.value_or(0);
    report(true);
  }
  void add_bytes(uint64_t count) {
    const std::lock_guard lock(mutex_);
    now_.bytes_fetched += count;
    report(false);
  }
  void path_done() {
    const std::lock_guard lock(mutex_);
    ++now_.paths_done;
    report(true);
  }
  uint64_t bytes_fetched() const { return now_.bytes_fetched; }

 private:
  void report(bool at_once) {
    const auto time = std::chrono::steady_clock::now();
    if (!report_ || (!at_once && time - last_ < progress_interval)) return;
    last_ = time;
    report_(now_);
  }
  std::mutex mutex_;
  RealiseProgress now_;
  std::function<void(const RealiseProgress&)> report_;
  std::chrono::steady_clock::time_point last_;
};

// Checks a NAR while it is unpacked.
class VerifiedUnpacking {
 public:
  VerifiedUnpacking(const PathInfo& info, const fs::path& to) : info_(info), unpacker_(to) {
    // What a content address is the hash of: the NAR, in which the path's own digest counts as zeros if the
    // path refers to itself.
    if (info.content_address && info.references.contains(info.path))
      modulo_.emplace(std::string(info.path.digest()));
  }
  void feed(std::string_view piece) {
    size_ += piece.size();
    if (size_ > info_.nar_size)
      fail(ErrorKind::untrusted, "the NAR is larger than the {} bytes that were announced", info_.nar_size);
    hash_.update(piece);
    if (modulo_) modulo_->update(piece);
    unpacker_.feed(piece);
  }
  void finish() {
    if (size_ != info_.nar_size)
      fail(ErrorKind::untrusted, "the NAR has {} bytes instead of the announced {}", size_, info_.nar_size);
    const Sha256Digest hash = hash_.finish();
    if (hash != info_.nar_hash)
      fail(ErrorKind::untrusted, "hash mismatch: the NAR has {} instead of the announced {}",
           nix::hash_text(hash), nix::hash_text(info_.nar_hash));
    if (info_.content_address &&
        *info_.content_address != "fixed:r:" + nix::hash_text(modulo_ ? modulo_->finish() : hash))
      fail(ErrorKind::untrusted, "the content address {} is not that of the NAR", *info_.content_address);
    unpacker_.finish();
  }

 private:
  const PathInfo& info_;
  nix::NarUnpacker unpacker_;
  Sha256 hash_;
  std::optional<nix::ModuloHash> modulo_;
  uint64_t size_ = 0;
};

// One realisation, from the paths that are missing to the paths in the store.
class Realisation {
 public:
  Realisation(LocalStore& store, const RealiseOptions& options, std::vector<Substitute> missing)
      : store_(store),
        options_(options),
        staging_(store),
        missing_(std::move(missing)),
        progress_(options, missing_) {
    // The largest first: what comes last should not keep one worker busy while the others are idle.
    std::ranges::sort(missing_, std::ranges::greater{},
                      [](const Substitute& s) { return s.narinfo.info.nar_size; });
  }

  RealiseResult run() {
    fetch_all();
    install_all();
    return {.closure = {}, .paths_fetched = paths_fetched_, .bytes_fetched = progress_.bytes_fetched()};
  }

 private:
  void fetch_all() {
    const auto workers =
        static_cast<unsigned>(std::min<size_t>(worker_count(options_.workers), missing_.size()));
    // First what nobody else is fetching, then, waiting, what others have been fetching meanwhile.
    for (const bool wait : {false, true}) {
      std::atomic<size_t> next = 0;
      run_workers(
          workers,
          [&](unsigned) {
            CacheList caches(options_.caches);
            for (size_t i; !stop_ && (i = next++) < missing_.size();) try_fetch(missing_[i], caches, wait);
          },
          [&] { stop_ = true; });
    }
  }

  // Does nothing if it is there, or if somebody else is fetching it and we shall not wait.
  void try_fetch(Substitute& substitute, CacheList& caches, bool wait) {
    const PathInfo& info = substitute.narinfo.info;
    {
      const std::lock_guard lock(mutex_);
      if (done_.contains(info.path)) return;
    }
    const auto right = staging_.lock(info.path, wait);
    if (!right) return;
    if (!store_.is_valid(info.path) && !staging_.has(info)) {
      try {
        fetch(substitute, caches);
      } catch (const Stopped&) {
        return;
      }
      ++paths_fetched_;
    }
    progress_.path_done();
    const std::lock_guard lock(mutex_);
    done_.insert(info.path);
  }

  // From the cache where it was found, then from those after it.
  void fetch(Substitute& substitute, CacheList& caches) {
    const PathInfo info = substitute.narinfo.info;
    Reasons reasons;
    for (size_t i = substitute.cache; i < caches.size(); ++i) {
      try {
        if (i != substitute.cache) {
          auto other = find_at(caches.at(i), info.path, options_, reasons);
          if (!other) continue;
          if (other->info.fingerprint() != info.fingerprint())
            fail(ErrorKind::untrusted, "cache {}: its contents are not those that {} announced",
                 caches.at(i).url(), caches.at(substitute.cache).url());
          substitute.narinfo = std::move(*other);
        }
        fetch_from(caches.at(i), substitute.narinfo);
        return;
      } catch (const Error& error) {
        reasons.add(error);
      }
    }
    reasons.fail(info.path);
  }

  void fetch_from(BinaryCache& cache, const nix::NarInfo& narinfo) {
    for (int attempt = 1;; ++attempt) {
      try {
        const WorkDirectory work(store_.scratch_directory());
        download(cache, narinfo, work.path() / "tree");
        staging_.put(narinfo.info, work.path() / "tree");
        return;
      } catch (const Error& error) {
        if (attempt == fetch_attempts || error.kind() != ErrorKind::unavailable) throw;
        log::debug("fetching again: {}", error.what());
      }
      std::this_thread::sleep_for(retry_pause * attempt);
    }
  }

  void download(BinaryCache& cache, const nix::NarInfo& narinfo, const fs::path& to) {
    VerifiedUnpacking unpacking(narinfo.info, to);
    const auto decompressor =
        make_decompressor(narinfo.compression, [&](std::string_view piece) { unpacking.feed(piece); });
    try {
      cache.fetch(narinfo, [&](std::string_view piece) {
        if (stop_) throw Stopped();
        progress_.add_bytes(piece.size());
        decompressor->feed(piece);
      });
      in_context("cache " + cache.url(), [&] {
        decompressor->finish();
        unpacking.finish();
      });
    } catch (const Error& error) {
      // Malformed data cannot be what was signed.
      if (error.kind() != ErrorKind::invalid_input) throw;
      throw Error(ErrorKind::untrusted, error.what(), error.advice());
    }
  }

  void install_all() {
    std::vector<PathInfo> infos;
    for (const Substitute& substitute : missing_) infos.push_back(substitute.narinfo.info);
    const std::vector<const PathInfo*> order = in_reference_order(infos);
    for (size_t start = 0; start < order.size(); start += install_at_once) {
      std::vector<ReadyTree> trees;
      for (size_t i = start; i < std::min(order.size(), start + install_at_once); ++i)
        trees.push_back({.info = *order[i], .tree = staging_.tree_of(order[i]->path)});
      store_.install(trees, Durability::synced);
      for (const ReadyTree& tree : trees)
        if (const auto right = staging_.lock(tree.info.path, false)) staging_.remove(tree.info.path);
    }
  }

  LocalStore& store_;
  const RealiseOptions& options_;
  Staging staging_;
  std::vector<Substitute> missing_;
  Progress progress_;
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> paths_fetched_ = 0;
  std::mutex mutex_;
  nix::StorePathSet done_;
};

bool all_valid(const LocalStore& store, const nix::StorePathSet& paths) {
  return std::ranges::all_of(paths, [&](const StorePath& path) { return store.is_valid(path); });
}

}  // namespace

RealiseResult realise(LocalStore& store, const nix::StorePathSet& paths, const RealiseOptions& options) {
  store.add_temp_roots(paths);
  RealiseResult result;
  if (!all_valid(store, paths)) {
    remove_abandoned(store.scratch_directory());
    Staging(store).clean();
    result = Realisation(store, options, find_missing(store, paths, options)).run();
  }
  result.closure = store.closure(paths);
  return result;
}

}  // namespace flox::store
