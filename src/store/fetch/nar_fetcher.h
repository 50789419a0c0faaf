// Gets NARs of caches and unpacks them, on several threads in bounded memory. The fetcher's side.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nix/narinfo.h"
#include "store/cache/binary_cache.h"
#include "store/cache/decompress.h"
#include "store/fetch/memory_budget.h"
#include "store/fetch/nar_unpacking.h"

namespace flox::store {

// Of the file of a NAR, bytes. A cache that compresses while it sends cannot say; then it is hardly larger
// than the NAR.
uint64_t announced_size(const nix::NarInfo& narinfo);

// Bytes: a file that is read as a whole, perhaps ahead of its turn, and decompressed in one step.
inline constexpr uint64_t small_file = 4 << 20;

// Thrown in the other workers when one has failed; nobody sees it.
struct Stopped {};

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

// Thread-safe, but for each thread's own decompressors.
class NarFetcher {
 public:
  // For so many threads with so much memory, bytes, together. `on_progress` is told what has come in all,
  // bytes, at most ten times a second. `allow`, unless it is empty, is called before so many bytes are read,
  // and returns when they may be.
  NarFetcher(uint64_t memory, unsigned workers, std::function<void(uint64_t)> on_progress,
             std::function<void(uint64_t)> allow = {});

  // Gets the NAR into `tree`, which must not exist, and leaves a part of it there on errors; `ahead` is its
  // file if that has been begun to be fetched. A file of a remote cache that ends before it has the bytes
  // announced is fetched once more, unless it is of a peer: then it is not what was signed. Throws Error,
  // which names the cache where that is at fault (untrusted if it sends something else than it announced);
  // LocalFailure; Stopped.
  void fetch(const nix::NarInfo& narinfo, BinaryCache& cache, std::unique_ptr<NarFile> ahead,
             const std::filesystem::path& tree, Decompressors& decompressors, bool of_peer = false);
  // Makes the tree of what is here already, which `begin` does (delta_fetch.h), and fetches the rest. Throws
  // Error if that cannot be done, whatever the reason: then fetch() is to; Stopped.
  void fetch_delta(const nix::NarInfo& narinfo, BinaryCache& cache, const std::filesystem::path& tree,
                   std::function<std::vector<bool>(const std::string& index, size_t chunks)> begin);
  // All threads leave fetch() with Stopped.
  void stop();

  uint64_t bytes_fetched() const noexcept { return bytes_fetched_; }
  // The most that decoders have had at once, bytes.
  uint64_t peak_memory() const { return budget_.peak(); }

 private:
  void unpack_small(const nix::NarInfo& narinfo, BinaryCache& cache, std::unique_ptr<NarFile> file,
                    const std::filesystem::path& tree, Decompressors& decompressors);
  void unpack_large(const nix::NarInfo& narinfo, BinaryCache& cache, const std::filesystem::path& tree,
                    Decompressors& decompressors);
  template <typename Work>
  void with_memory(const nix::NarInfo& narinfo, const std::filesystem::path& tree,
                   Decompressors& decompressors, Work&& work);
  MemoryBudget::Grant take_memory(uint64_t memory, uint64_t nar_size, Decompressors& decompressors);
  bool read(NarFile& file, std::string& piece);
  void keep_pace(size_t bytes);

  const uint64_t memory_;
  const unsigned workers_;
  const std::function<void(uint64_t)> on_progress_;
  const std::function<void(uint64_t)> allow_;
  std::atomic<int64_t> allowed_ = 0;  // bytes that are left of what was allowed
  MemoryBudget budget_;
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> bytes_fetched_ = 0;
  std::atomic<std::chrono::steady_clock::duration> last_progress_{};
};

}  // namespace flox::store
