#include "store/realise.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "nix/nar.h"
#include "store/decompress.h"
#include "store/memory_budget.h"
#include "store/parallel.h"
#include "store/placement.h"
#include "store/recovery.h"
#include "store/reference_order.h"
#include "store/stage.h"
#include "store/staging.h"
#include "store/substitutes.h"
#include "store/work_directory.h"
#include "store/write_behind.h"

namespace flox::store {
namespace {

constexpr auto progress_interval = std::chrono::milliseconds(100);
constexpr double rate_memory = 3;  // seconds
constexpr auto claim_interval =
    std::chrono::milliseconds(20);  // how often to look whether others have fetched it
// Where no floxd syncs the store, the next realisation does, when the kernel has written nearly all of it.
constexpr auto long_written = std::chrono::seconds(60);
constexpr int rounds = 3;  // another process may take a staged tree away, and fail to install it

constexpr uint64_t small_file = 4 << 20;  // bytes: fetched ahead, and decompressed in one step
constexpr size_t files_ahead = 48;        // fetched ahead at most
constexpr uint64_t large_nar = 8 << 20;   // bytes: hashed and written by threads of their own
constexpr size_t block_size = 1 << 20;    // bytes between those threads
constexpr size_t blocks_waiting = 4;
// Bytes that a file needs beside its decoder's window: the blocks between the threads (those that wait, one
// being filled, one in each thread's hands), or the result of a small file.
constexpr uint64_t unpacking_memory = (blocks_waiting + 3) * block_size;

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
  void path_done(uint64_t decoder_memory) {
    const std::lock_guard lock(mutex_);
    ++now_.paths_done;
    now_.decoder_memory = decoder_memory;
    report(true);
  }
  uint64_t bytes_fetched() const { return now_.bytes_fetched; }

 private:
  void report(bool at_once) {
    const auto time = std::chrono::steady_clock::now();
    if (!report_ || (!at_once && time - last_ < progress_interval)) return;
    last_ = time;
    measure(time);
    report_(now_);
  }
  // A moving average: what the last `rate_memory` seconds did counts most.
  void measure(std::chrono::steady_clock::time_point time) {
    const double passed = std::chrono::duration<double>(time - measured_).count();
    if (passed < std::chrono::duration<double>(progress_interval).count()) return;
    const double latest = static_cast<double>(now_.bytes_fetched - bytes_then_) / passed;
    const double weight = now_.bytes_per_second == 0 ? 1 : 1 - std::exp(-passed / rate_memory);
    now_.bytes_per_second += weight * (latest - now_.bytes_per_second);
    measured_ = time;
    bytes_then_ = now_.bytes_fetched;
    now_.time_left.reset();
    if (now_.bytes_per_second >= 1 && now_.bytes_total > now_.bytes_fetched)
      now_.time_left = std::chrono::seconds(static_cast<long>(
          std::ceil(static_cast<double>(now_.bytes_total - now_.bytes_fetched) / now_.bytes_per_second)));
  }
  std::mutex mutex_;
  RealiseProgress now_;
  std::function<void(const RealiseProgress&)> report_;
  std::chrono::steady_clock::time_point last_;
  std::chrono::steady_clock::time_point measured_ = std::chrono::steady_clock::now();
  uint64_t bytes_then_ = 0;
};

// A fault of this machine, not of a cache: no other cache would help.
class LocalFailure : public std::exception {
 public:
  explicit LocalFailure(const Error& error) : error_(error) {}
  const char* what() const noexcept override { return error_.what(); }
  const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

// Checks a NAR while it is unpacked. A large one is hashed and written by threads of their own, so that one
// path that is larger than all others keeps every core busy.
class VerifiedUnpacking {
 public:
  VerifiedUnpacking(const PathInfo& info, const fs::path& to) : info_(info), unpacker_(make_unpacker(to)) {
    // What a content address is the hash of: the NAR, in which the path's own digest counts as zeros if the
    // path refers to itself.
    if (info.content_address && info.references.contains(info.path))
      modulo_.emplace(std::string(info.path.digest()));
    if (info.nar_size < large_nar) return;
    hashing_.emplace([this](std::string_view piece) { hash(piece); }, blocks_waiting);
    writing_.emplace([this](std::string_view piece) { write(piece); }, blocks_waiting);
  }

  void feed(std::string_view piece) {
    size_ += piece.size();
    if (size_ > info_.nar_size)
      fail(ErrorKind::untrusted, "the NAR is larger than the {} bytes that were announced", info_.nar_size);
    if (!writing_) {
      hash(piece);
      write(piece);
      return;
    }
    while (!piece.empty()) {
      if (!block_) {
        block_ = std::make_shared<std::string>();
        block_->reserve(block_size);
      }
      const std::string_view part = piece.substr(0, block_size - block_->size());
      block_->append(part);
      piece.remove_prefix(part.size());
      if (block_->size() == block_size) pass_on();
    }
  }

  void finish() {
    if (writing_) {
      if (block_) pass_on();
      hashing_->finish();
      writing_->finish();
    }
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
  static nix::NarUnpacker make_unpacker(const fs::path& to) {
    try {
      return nix::NarUnpacker(to);
    } catch (const Error& error) {
      throw LocalFailure(error);
    }
  }
  void hash(std::string_view piece) {
    hash_.update(piece);
    if (modulo_) modulo_->update(piece);
  }
  void write(std::string_view piece) {
    try {
      unpacker_.feed(piece);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::invalid_input) throw;  // malformed
      throw LocalFailure(error);
    }
  }
  void pass_on() {
    const std::shared_ptr<const std::string> block = std::exchange(block_, nullptr);
    hashing_->push(block);
    writing_->push(block);
  }

  const PathInfo& info_;
  nix::NarUnpacker unpacker_;
  Sha256 hash_;
  std::optional<nix::ModuloHash> modulo_;
  uint64_t size_ = 0;
  std::shared_ptr<std::string> block_;
  std::optional<Stage> hashing_;  // last: their threads use the others
  std::optional<Stage> writing_;
};

// Of the file, bytes. A cache that compresses while it sends cannot say; then it is hardly larger than the
// NAR.
uint64_t announced_size(const nix::NarInfo& narinfo) {
  return narinfo.file_size.value_or(narinfo.info.nar_size);
}

// The most of a larger file that may wait for its decompressor, bytes, when `workers` fetch one each.
size_t large_buffer(uint64_t memory, unsigned workers) {
  return static_cast<size_t>(std::clamp<uint64_t>(memory / 8 / workers, 1 << 20, 8 << 20));
}

// One thread's decompressors, kept from file to file.
class Decompressors {
 public:
  // The one for this compression, which gives to `sink` until the next call. Throws Error(invalid_input).
  Decompressor& get(const std::string& compression, const DecompressorOptions& options, ByteSink sink) {
    sink_ = std::move(sink);
    auto& decompressor = by_name_[fmt::format("{} {} {}", compression, options.threads, options.memory)];
    if (!decompressor)
      decompressor = make_decompressor(
          compression, [this](std::string_view piece) { sink_(piece); }, options);
    return *decompressor;
  }
  // After an error they hold half a file, after a file with a large window its memory.
  void clear() { by_name_.clear(); }

 private:
  ByteSink sink_;
  std::map<std::string, std::unique_ptr<Decompressor>> by_name_;
};

// Lets the process have as many files open as the system allows: each path being installed holds a lock.
size_t open_files_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  return static_cast<size_t>(limit.rlim_cur);
}

// One realisation, from the paths that are missing to the paths in the store.
class Realisation {
 public:
  Realisation(LocalStore& store, const RealiseOptions& options, CacheList& caches, NarinfoCache& memory,
              std::vector<Substitute> missing)
      : store_(store),
        options_(options),
        caches_(caches),
        memory_(memory),
        staging_(store),
        budget_(options.memory / 8 * 5),
        missing_(std::move(missing)),
        progress_(options, missing_) {
    if (options.sync) write_behind_.emplace(store.store_directory());
    // The largest first: what comes last should not keep one worker busy while the others are idle.
    std::ranges::sort(missing_, std::ranges::greater{},
                      [](const Substitute& s) { return s.narinfo.info.nar_size; });
    for (Substitute& substitute : missing_) queue_.push_back({.substitute = &substitute});
  }

  RealiseResult run() {
    for (int round = 1;; ++round) {
      fetch_all();
      if (write_behind_) {
        write_behind_->check();
        write_behind_->begin();  // while the trees are moved
      }
      try {
        install_all();
        break;
      } catch (const Error& error) {
        if (round == rounds || error.kind() != ErrorKind::not_found) throw;
        log::debug("fetching again what was taken away: {}", error.what());
        for (Substitute& substitute : missing_)
          queue_.push_back({.substitute = &substitute, .counted = true});
      }
    }
    return {.closure = {}, .paths_fetched = paths_fetched_, .bytes_fetched = progress_.bytes_fetched()};
  }

 private:
  // A path on its way: queued, then claimed and perhaps being fetched ahead.
  struct Item {
    Substitute* substitute = nullptr;
    bool counted = false;  // in the progress
    std::optional<Staging::Claim> claim;
    std::unique_ptr<NarFile> file;
    uint64_t reserved = 0;  // bytes of what is fetched ahead
  };

  // What each thread has of its own. Trees that grow in different directories lie in different parts of the
  // disk: ext4 reads a block of inodes before it adds one, unless all others in it are free, so two threads
  // in one part made each other wait for the disk.
  struct Worker {
    WorkDirectory directory;
    Decompressors decompressors;
  };

  void fetch_all() {
    const auto workers =
        static_cast<unsigned>(std::min<size_t>(worker_count(options_.workers), missing_.size()));
    run_workers(
        workers,
        [&](unsigned) {
          Worker worker{.directory = place_work_directory(store_.scratch_directory()), .decompressors = {}};
          while (auto item = take()) {
            fetch(*item, worker);
            finish(*item);
          }
        },
        [&] {
          stop_ = true;
          budget_.close();
        });
  }

  // The next path that is ours to fetch. While only such are left that other processes are fetching, it waits
  // for those.
  std::optional<Item> take() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
      look_ahead();
      if (!ahead_.empty()) {
        Item item = std::move(ahead_.front());
        ahead_.pop_front();
        return item;
      }
      if (queue_.empty()) return std::nullopt;
      lock.unlock();
      std::this_thread::sleep_for(claim_interval);
      lock.lock();
    }
    return std::nullopt;
  }

  // Claims paths in order and begins to fetch small files, as far as memory allows.
  void look_ahead() {
    std::deque<Item> claimed_by_others;
    while (!queue_.empty() && ahead_.size() < files_ahead && reserved_ < options_.memory / 4) {
      Item item = std::move(queue_.front());
      queue_.pop_front();
      const PathInfo& info = item.substitute->narinfo.info;
      item.claim = staging_.claim(info.path);
      if (!item.claim) {
        claimed_by_others.push_back(std::move(item));
        continue;
      }
      if (store_.is_valid(info.path) || staging_.has(info)) {
        count(item);
        continue;
      }
      fetch_ahead(item);
      ahead_.push_back(std::move(item));
    }
    for (Item& item : claimed_by_others) queue_.push_back(std::move(item));
  }

  void fetch_ahead(Item& item) {
    const nix::NarInfo& narinfo = item.substitute->narinfo;
    BinaryCache& cache = caches_.at(item.substitute->cache);
    const uint64_t size = announced_size(narinfo);
    // A file ahead must fit its buffer: one that waits for room would block those behind it on a connection
    // that they share, among them perhaps the one that the workers wait for.
    if (!cache.is_remote() || size > small_file) return;
    try {
      item.file = cache.open_nar(narinfo, static_cast<size_t>(2 * size) + block_size);
      item.reserved = size;
      reserved_ += size;
    } catch (const Error& error) {  // it will come again when it is fetched
      log::debug("fetching ahead: {}", error.what());
    }
  }

  void finish(Item& item) {
    const std::lock_guard lock(mutex_);
    reserved_ -= item.reserved;
    item.file.reset();
    item.claim.reset();
    count(item);
  }

  void count(Item& item) {
    if (!std::exchange(item.counted, true)) progress_.path_done(budget_.peak());
  }

  // From the cache where it was found, then from those after it.
  void fetch(Item& item, Worker& worker) {
    const Substitute found = *item.substitute;
    const PathInfo& info = found.narinfo.info;
    Reasons reasons;
    try {
      if (try_fetch(found.narinfo, found.cache, std::move(item.file), worker, reasons)) return;
      for (size_t i = 0; i < caches_.size(); ++i) {
        // What is remembered of the first one may be out of date.
        const bool first = i == found.cache;
        if (first && !caches_.at(i).is_remote()) continue;
        if (i < found.cache && caches_.why_not(i)) continue;
        try {
          auto other = find_at(caches_, i, info.path, options_, reasons);
          if (!other || (first && other->url == found.narinfo.url)) continue;
          if (other->info.fingerprint() != info.fingerprint())
            fail(ErrorKind::untrusted, "cache {}: its contents are not those that {} announced",
                 caches_.at(i).url(), caches_.at(found.cache).url());
          if (try_fetch(*other, i, nullptr, worker, reasons)) {
            item.substitute->narinfo = std::move(*other);
            item.substitute->cache = i;
            return;
          }
        } catch (const Error& error) {
          reasons.add(error);
        }
      }
    } catch (const LocalFailure& failure) {
      throw failure.error()
          .with_context("unpacking " + info.path.to_string())
          .with_advice("See that the store's file system has room (df, df -i) and can be written.");
    } catch (const Stopped&) {
      return;
    }
    reasons.fail(info.path);
  }

  bool try_fetch(const nix::NarInfo& narinfo, size_t cache, std::unique_ptr<NarFile> file, Worker& worker,
                 Reasons& reasons) {
    const fs::path tree = worker.directory.path() / std::to_string(next_tree_++);
    try {
      if (announced_size(narinfo) > small_file)
        unpack_large(narinfo, caches_.at(cache), tree, worker.decompressors);
      else
        unpack_small(narinfo, caches_.at(cache), std::move(file), tree, worker.decompressors);
      staging_.put(narinfo.info, tree);
      ++paths_fetched_;
      return true;
    } catch (const Error& error) {
      remove_tree(tree);
      memory_.forget(caches_.at(cache).url(), BinaryCache::narinfo_name(narinfo.info.path));
      reasons.add(error);
      return false;
    } catch (...) {
      remove_tree(tree);
      throw;
    }
  }

  // A small file is read as a whole before it asks for memory, a large one is opened when it has it: while a
  // worker waits for memory, no transfer of its own is open that could fill its buffer and block, on a
  // connection that they share, the files of those who have the memory. It holds no other memory either; the
  // claim on the path keeps waiting only other processes, and those only when they have nothing else to do.
  // So whoever has memory comes to an end and gives it back.
  void unpack_small(const nix::NarInfo& narinfo, BinaryCache& cache, std::unique_ptr<NarFile> file,
                    const fs::path& tree, Decompressors& decompressors) {
    if (!file) file = cache.open_nar(narinfo, 2 * small_file);
    std::string all;
    for (std::string piece; read(*file, piece);) {
      if (all.size() + piece.size() > 2 * small_file)
        blamed(cache, [] { fail(ErrorKind::invalid_input, "the file is larger than announced"); });
      all.empty() ? all.swap(piece) : void(all += piece);
    }
    file.reset();
    with_memory(narinfo, tree, decompressors, [&](uint64_t memory) {
      VerifiedUnpacking unpacking(narinfo.info, tree);
      Decompressor& decompressor =
          decompressors.get(narinfo.compression, {.memory = memory}, sink_of(unpacking));
      blamed(cache, [&] {
        decompressor.whole(all, narinfo.info.nar_size);
        unpacking.finish();
      });
    });
  }

  void unpack_large(const nix::NarInfo& narinfo, BinaryCache& cache, const fs::path& tree,
                    Decompressors& decompressors) {
    const unsigned workers = worker_count(options_.workers);
    with_memory(narinfo, tree, decompressors, [&](uint64_t memory) {
      DecompressorOptions how{.memory = memory};
      std::optional<MemoryBudget::Grant> more;  // for threads; without waiting, they are not needed
      if (const uint64_t most = memory_for_threads(narinfo.compression); most > 0 && workers > 1) {
        if (most > memory) more = budget_.try_take(most - memory);
        how.memory = more ? most : memory;
        how.threads = more || most <= memory ? workers : 1;
      }
      const auto file = cache.open_nar(narinfo, large_buffer(options_.memory, workers));
      VerifiedUnpacking unpacking(narinfo.info, tree);
      Decompressor& decompressor = decompressors.get(narinfo.compression, how, sink_of(unpacking));
      for (std::string piece; read(*file, piece);) blamed(cache, [&] { decompressor.feed(piece); });
      blamed(cache, [&] {
        decompressor.finish();
        unpacking.finish();
      });
      if (more) decompressors.clear();
    });
  }

  // Calls `work` with what its decoder may use, from the beginning again if that was too little.
  template <typename Work>
  void with_memory(const nix::NarInfo& narinfo, const fs::path& tree, Decompressors& decompressors,
                   Work&& work) {
    for (uint64_t memory = usual_decompressor_memory;;) {
      const MemoryBudget::Grant grant = take_memory(memory, narinfo.info.nar_size, decompressors);
      try {
        work(memory);
        if (memory > usual_decompressor_memory) decompressors.clear();
        return;
      } catch (const NeedsMemory& needed) {
        decompressors.clear();
        remove_tree(tree);
        memory = needed.bytes;
      } catch (...) {
        decompressors.clear();
        throw;
      }
    }
  }

  // What a decoder allocates and never touches, because its result is smaller, costs nothing.
  MemoryBudget::Grant take_memory(uint64_t memory, uint64_t nar_size, Decompressors& decompressors) {
    const uint64_t bytes = std::min(memory, nar_size) + std::min(unpacking_memory, nar_size);
    auto grant = budget_.try_take(bytes);
    if (!grant) {
      decompressors.clear();  // their memory helps others on
      grant = budget_.take(bytes);
    }
    if (!grant) throw Stopped();
    return std::move(*grant);
  }

  ByteSink sink_of(VerifiedUnpacking& unpacking) {
    return [&](std::string_view piece) {
      unpacking.feed(piece);
      if (write_behind_) write_behind_->add(piece.size());
    };
  }

  bool read(NarFile& file, std::string& piece) {
    if (!file.read(piece)) return false;
    if (stop_) throw Stopped();
    progress_.add_bytes(piece.size());
    return true;
  }

  // What is wrong with the data, the cache has to answer for.
  template <typename Work>
  static void blamed(const BinaryCache& cache, Work&& work) {
    try {
      in_context_of(cache.url(), work);
    } catch (const Error& error) {
      // Malformed data cannot be what was signed.
      if (error.kind() != ErrorKind::invalid_input) throw;
      throw Error(ErrorKind::untrusted, error.what(), error.advice());
    }
  }

  // As in_context(), for what also throws LocalFailure and Stopped.
  template <typename Work>
  static void in_context_of(const std::string& cache, Work&& work) {
    try {
      work();
    } catch (const Error& error) {
      throw error.with_context("cache " + cache);
    }
  }

  void install_all() {
    std::vector<PathInfo> infos;
    for (const Substitute& substitute : missing_) infos.push_back(substitute.narinfo.info);
    const std::vector<const PathInfo*> order = in_reference_order(infos);
    // One transaction, unless the system does not let us hold so many locks: then in parts, references first.
    const size_t limit = open_files_limit();
    const size_t at_once = limit > 512 ? limit - 256 : limit / 2;
    for (size_t start = 0; start < order.size(); start += at_once) {
      std::vector<ReadyTree> trees;
      for (size_t i = start; i < std::min(order.size(), start + at_once); ++i)
        if (!store_.is_valid(order[i]->path))
          trees.push_back({.info = *order[i], .tree = staging_.tree_of(*order[i])});
      store_.install(trees);
    }
    for (const PathInfo* info : order)  // those that somebody else has installed
      if (staging_.has(*info))
        if (const auto claim = staging_.claim(info->path)) staging_.remove(*info);
  }

  LocalStore& store_;
  const RealiseOptions& options_;
  CacheList& caches_;
  NarinfoCache& memory_;
  Staging staging_;
  std::optional<WriteBehind> write_behind_;
  MemoryBudget budget_;
  std::vector<Substitute> missing_;
  Progress progress_;
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> paths_fetched_ = 0;
  std::atomic<uint64_t> next_tree_ = 0;

  std::mutex mutex_;
  std::deque<Item> queue_;  // not claimed yet
  std::deque<Item> ahead_;  // claimed, for the workers
  uint64_t reserved_ = 0;
};

bool all_valid(const LocalStore& store, const nix::StorePathSet& paths) {
  return std::ranges::all_of(paths, [&](const StorePath& path) { return store.is_valid(path); });
}

}  // namespace

RealiseResult realise(LocalStore& store, const nix::StorePathSet& paths, const RealiseOptions& options) {
  if (options.memory < least_realise_memory)
    fail(ErrorKind::invalid_input, "{} MiB of memory are too little to realise with: allow at least {} MiB",
         options.memory >> 20, least_realise_memory >> 20);
  store.add_temp_roots(paths);
  recover(store, options.caches);
  RealiseResult result;
  if (!all_valid(store, paths)) {
    store.sync(long_written);
    remove_abandoned(store.scratch_directory());
    Staging(store).clean();
    NarinfoCache memory(store.state_directory() / "flox/narinfo-cache.sqlite", options.narinfo_cache);
    CacheList caches(options, memory);
    auto missing = find_missing(store, paths, options, caches, memory);
    result = Realisation(store, options, caches, memory, std::move(missing)).run();
  }
  result.closure = store.closure(paths);
  require_sound(store, result.closure, options.caches);
  if (options.sync) store.sync();
  return result;
}

}  // namespace flox::store
