#include "store/fetch/fetch_pipeline.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "nix/nar.h"
#include "store/cache/decompress.h"
#include "store/fetch/memory_budget.h"
#include "store/local/parallel.h"
#include "store/local/stage.h"

namespace flox::store {
namespace {

namespace fs = std::filesystem;
using nix::PathInfo;
using nix::StorePath;

constexpr auto busy_interval =
    std::chrono::milliseconds(20);  // how often to ask whether others have fetched it
constexpr auto progress_interval = std::chrono::milliseconds(100);

constexpr uint64_t small_file = 4 << 20;  // bytes: fetched ahead, and decompressed in one step
constexpr size_t files_ahead = 48;        // fetched ahead at most
constexpr uint64_t large_nar = 8 << 20;   // bytes: written by a thread of its own
constexpr size_t block_size = 1 << 20;    // bytes between the two
constexpr size_t blocks_waiting = 4;
// Trees that the installer is shown together, and when it is: small ones only.
constexpr size_t handed_over_at_once = 32;
constexpr uint64_t handed_over_bytes = 1 << 20;  // of NARs
// Bytes that a file needs beside its decoder's window: the blocks between the threads (those that wait, one
// being filled, one in the thread's hands), or the result of a small file.
constexpr uint64_t unpacking_memory = (blocks_waiting + 2) * block_size;

// Thrown in the other workers when one has failed; nobody sees it.
struct Stopped {};

// A fault of this machine, not of a cache: no other cache would help.
class LocalFailure : public std::exception {
 public:
  explicit LocalFailure(const Error& error) : error_(error) {}
  const char* what() const noexcept override { return error_.what(); }
  const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

// Unpacks a NAR, of which no more than what was announced. A large one is written by a thread of its own, so
// that one path that is larger than all others keeps two cores busy. Whether it is what was signed is the
// installer's to see: it reads the tree.
class Unpacking {
 public:
  Unpacking(const PathInfo& info, const fs::path& to) : info_(info), unpacker_(make_unpacker(to)) {
    if (info.nar_size >= large_nar)
      writing_.emplace([this](std::string_view piece) { write(piece); }, blocks_waiting);
  }

  void feed(std::string_view piece) {
    size_ += piece.size();
    if (size_ > info_.nar_size)
      fail(ErrorKind::untrusted, "the NAR is larger than the {} bytes that were announced", info_.nar_size);
    if (!writing_) return write(piece);
    while (!piece.empty()) {
      if (!block_) {
        block_ = std::make_shared<std::string>();
        block_->reserve(block_size);
      }
      const std::string_view part = piece.substr(0, block_size - block_->size());
      block_->append(part);
      piece.remove_prefix(part.size());
      if (block_->size() == block_size) writing_->push(std::exchange(block_, nullptr));
    }
  }

  void finish() {
    if (writing_) {
      if (block_) writing_->push(std::exchange(block_, nullptr));
      writing_->finish();
    }
    if (size_ != info_.nar_size)
      fail(ErrorKind::untrusted, "the NAR has {} bytes instead of the announced {}", size_, info_.nar_size);
    unpacker_.finish();
  }

 private:
  static nix::NarUnpacker make_unpacker(const fs::path& to) {
    try {
      return nix::NarUnpacker(to, nix::NarUnpacker::SetModes::later);
    } catch (const Error& error) {
      throw LocalFailure(error);
    }
  }
  void write(std::string_view piece) {
    try {
      unpacker_.feed(piece);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::invalid_input) throw;  // malformed
      throw LocalFailure(error);
    }
  }

  const PathInfo& info_;
  nix::NarUnpacker unpacker_;
  uint64_t size_ = 0;
  std::shared_ptr<std::string> block_;
  std::optional<Stage> writing_;  // last: its thread uses the others
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

class Pipeline {
 public:
  Pipeline(const v1::FetchRequest& request, CacheList& caches, InstallerLink& installer,
           std::vector<Substitute> missing)
      : request_(request),
        caches_(caches),
        installer_(installer),
        budget_(request.memory() / 8 * 5),
        missing_(std::move(missing)) {
    // The largest first: what comes last should not keep one worker busy while the others are idle.
    std::ranges::sort(missing_, std::ranges::greater{},
                      [](const Substitute& s) { return s.narinfo.info.nar_size; });
    for (Substitute& substitute : missing_) queue_.push_back(&substitute);
  }

  void run() {
    const auto workers =
        static_cast<unsigned>(std::min<size_t>({static_cast<size_t>(request_.directories_size()),
                                                worker_count(request_.workers()), missing_.size()}));
    run_workers(
        workers,
        [&](unsigned number) {
          Worker worker{.number = number,
                        .directory = request_.directories(static_cast<int>(number)),
                        .decompressors = {},
                        .unpacked = {}};
          while (auto item = take(worker)) {
            fetch(*item, worker);
            finish(*item);
          }
          hand_over(worker);
        },
        [&] {
          stop_ = true;
          budget_.close();
        });
    if (missing_.empty()) installer_.claim({});
  }

 private:
  // A path that is ours to fetch, and perhaps being fetched ahead.
  struct Item {
    Substitute* substitute = nullptr;
    std::unique_ptr<NarFile> file;
    uint64_t reserved = 0;  // bytes of what is fetched ahead
  };

  struct Unpacked {
    const Substitute* substitute;
    uint64_t number;  // the tree's name in the worker's directory
  };

  // What each thread has of its own.
  struct Worker {
    unsigned number;
    fs::path directory;
    Decompressors decompressors;
    std::vector<Unpacked> unpacked;  // not handed over yet
    uint64_t bytes = 0;              // of their NARs
  };

  // The next path that is ours to fetch. While only such are left that other processes are fetching, it waits
  // for those.
  std::optional<Item> take(Worker& worker) {
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
      hand_over(worker);  // others may be waiting for these
      std::this_thread::sleep_for(busy_interval);
      lock.lock();
    }
    return std::nullopt;
  }

  // Claims paths in order, many at once, and begins to fetch small files, as far as memory allows.
  void look_ahead() {
    if (queue_.empty() || ahead_.size() > files_ahead / 2 || reserved_ >= request_.memory() / 4) return;
    std::vector<Substitute*> asked;
    std::vector<StorePath> paths;
    for (size_t left = files_ahead - ahead_.size(); left > 0 && !queue_.empty(); --left) {
      asked.push_back(queue_.front());
      paths.push_back(queue_.front()->narinfo.info.path);
      queue_.pop_front();
    }
    const auto states = installer_.claim(paths);
    for (size_t i = 0; i < asked.size(); ++i) {
      if (states[i] == v1::ClaimAnswer::BUSY) queue_.push_back(asked[i]);
      if (states[i] != v1::ClaimAnswer::YOURS) continue;
      Item item{.substitute = asked[i], .file = nullptr};
      if (reserved_ < request_.memory() / 4) fetch_ahead(item);
      ahead_.push_back(std::move(item));
    }
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
  }

  // From the cache where it was found, else from those after it. Small ones are handed over together.
  void fetch(Item& item, Worker& worker) {
    const Substitute& found = *item.substitute;
    guarded(found, [&] {
      Reasons reasons;
      const auto number = unpack(found.narinfo, found.cache, std::move(item.file), worker, reasons);
      if (!number) return fetch_elsewhere(found, worker, reasons);
      worker.unpacked.push_back({&found, *number});
      worker.bytes += found.narinfo.info.nar_size;
      if (worker.unpacked.size() >= handed_over_at_once || worker.bytes >= handed_over_bytes)
        hand_over(worker);
    });
  }

  // What is not what was signed is fetched from elsewhere.
  void hand_over(Worker& worker) {
    if (worker.unpacked.empty()) return;
    const auto unpacked = std::exchange(worker.unpacked, {});
    worker.bytes = 0;
    std::vector<InstallerLink::Tree> trees;
    for (const auto& [substitute, number] : unpacked)
      trees.push_back({substitute->narinfo.info.path, worker.number, number});
    const auto refused = installer_.unpacked(trees, bytes_fetched_, budget_.peak());
    for (size_t i = 0; i < unpacked.size(); ++i) {
      if (!refused[i]) continue;
      const Substitute& found = *unpacked[i].substitute;
      guarded(found, [&] {
        Reasons reasons;
        refuse(found.narinfo, found.cache, *refused[i], reasons);
        fetch_elsewhere(found, worker, reasons);
      });
    }
  }

  // Calls `work`, which is for the path of `found`.
  template <typename Work>
  static void guarded(const Substitute& found, Work&& work) {
    try {
      work();
    } catch (const LocalFailure& failure) {
      throw failure.error()
          .with_context("unpacking " + found.narinfo.info.path.to_string())
          .with_advice("See that the store's file system has room (df, df -i) and can be written.");
    } catch (const Stopped&) {
    }
  }

  void fetch_elsewhere(const Substitute& found, Worker& worker, Reasons& reasons) {
    const StorePath& path = found.narinfo.info.path;
    for (size_t i = 0; i < caches_.size(); ++i) {
      // What is remembered of the first one may be out of date.
      const bool first = i == found.cache;
      if (first && !caches_.at(i).is_remote()) continue;
      if (i < found.cache && caches_.why_not(i)) continue;
      try {
        auto other = find_at(caches_, i, path, installer_, reasons);
        if (!other || (first && other->url == found.narinfo.url)) continue;
        const auto number = unpack(*other, i, nullptr, worker, reasons);
        if (!number) continue;
        const auto refused =
            installer_.unpacked({{path, worker.number, *number}}, bytes_fetched_, budget_.peak()).front();
        if (!refused) return;
        refuse(*other, i, *refused, reasons);
      } catch (const Error& error) {
        reasons.add(error);
      }
    }
    reasons.fail(path);
  }

  // The installer does not take it. What is not what was signed, the cache has to answer for; anything else
  // is this machine's fault.
  void refuse(const nix::NarInfo& narinfo, size_t cache, const Error& error, Reasons& reasons) {
    if (error.kind() != ErrorKind::untrusted) throw LocalFailure(error);
    BinaryCache& from = caches_.at(cache);
    if (from.is_remote()) installer_.tell_absent(caches_.number(cache), narinfo.info.path, true);
    reasons.add(error.with_context("cache " + from.url()));
  }

  // The tree's number in the worker's directory; nothing if the cache did not give what it announced.
  std::optional<uint64_t> unpack(const nix::NarInfo& narinfo, size_t cache, std::unique_ptr<NarFile> file,
                                 Worker& worker, Reasons& reasons) {
    const uint64_t number = next_tree_++;
    const fs::path tree = worker.directory / std::to_string(number);
    BinaryCache& from = caches_.at(cache);
    try {
      if (announced_size(narinfo) > small_file)
        unpack_large(narinfo, from, tree, worker.decompressors);
      else
        unpack_small(narinfo, from, std::move(file), tree, worker.decompressors);
      return number;
    } catch (const Error& error) {
      remove_tree(tree);
      if (from.is_remote()) installer_.tell_absent(caches_.number(cache), narinfo.info.path, true);
      reasons.add(error);
      return std::nullopt;
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
    all.reserve(std::min<uint64_t>(announced_size(narinfo), small_file));
    for (std::string piece; read(*file, piece);) {
      if (all.size() + piece.size() > 2 * small_file)
        blamed(cache, [] { fail(ErrorKind::invalid_input, "the file is larger than announced"); });
      all += piece;
    }
    file.reset();
    with_memory(narinfo, tree, decompressors, [&](uint64_t memory) {
      Unpacking unpacking(narinfo.info, tree);
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
    const unsigned workers = worker_count(request_.workers());
    with_memory(narinfo, tree, decompressors, [&](uint64_t memory) {
      DecompressorOptions how{.memory = memory};
      std::optional<MemoryBudget::Grant> more;  // for threads; without waiting, they are not needed
      if (const uint64_t most = memory_for_threads(narinfo.compression); most > 0 && workers > 1) {
        if (most > memory) more = budget_.try_take(most - memory);
        how.memory = more ? most : memory;
        how.threads = more || most <= memory ? workers : 1;
      }
      const auto file = cache.open_nar(narinfo, large_buffer(request_.memory(), workers));
      Unpacking unpacking(narinfo.info, tree);
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

  ByteSink sink_of(Unpacking& unpacking) {
    return [&](std::string_view piece) { unpacking.feed(piece); };
  }

  bool read(NarFile& file, std::string& piece) {
    if (!file.read(piece)) return false;
    if (stop_) throw Stopped();
    bytes_fetched_ += piece.size();
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    if (auto last = last_progress_.load();
        now - last > progress_interval && last_progress_.compare_exchange_strong(last, now))
      installer_.tell_progress(bytes_fetched_);
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

  const v1::FetchRequest& request_;
  CacheList& caches_;
  InstallerLink& installer_;
  MemoryBudget budget_;
  std::vector<Substitute> missing_;
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> next_tree_ = 0;
  std::atomic<uint64_t> bytes_fetched_ = 0;
  std::atomic<std::chrono::steady_clock::duration> last_progress_{};

  std::mutex mutex_;
  std::deque<Substitute*> queue_;  // not claimed yet
  std::deque<Item> ahead_;         // ours, for the workers
  uint64_t reserved_ = 0;
};

}  // namespace

void fetch_all(const v1::FetchRequest& request, CacheList& caches, InstallerLink& installer,
               std::vector<Substitute> missing) {
  Pipeline(request, caches, installer, std::move(missing)).run();
}

}  // namespace flox::store
