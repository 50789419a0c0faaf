#include "store/fetch/nar_fetcher.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/os/file.h"
#include "store/fetch/delta_fetch.h"
#include "store/fetch/progress.h"

namespace flox::store {
namespace {

namespace fs = std::filesystem;

// The most of a larger file that may wait for its decompressor, bytes, when `workers` fetch one each.
size_t large_buffer(uint64_t memory, unsigned workers) {
  return static_cast<size_t>(std::clamp<uint64_t>(memory / 8 / workers, 1 << 20, 8 << 20));
}

// Bytes that are asked for at once where reading is metered.
constexpr int64_t allowance_step = 256 << 10;

// As in_context(), for what also throws LocalFailure and Stopped.
template <typename Work>
void in_context_of(const std::string& cache, Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    throw error.with_context("cache " + cache);
  }
}

// What is wrong with the data, the cache has to answer for.
template <typename Work>
void blamed(const BinaryCache& cache, Work&& work) {
  try {
    in_context_of(cache.url(), work);
  } catch (const Error& error) {
    // Malformed data cannot be what was signed.
    if (error.kind() != ErrorKind::invalid_input) throw;
    throw Error(ErrorKind::untrusted, error.what(), error.advice());
  }
}

// A file that ended before it had what the cache announced: a proxy that was restarted, a file that is still
// being written.
struct CutShort {
  uint64_t bytes;
};

// What the cache said that the file has; nothing if it did not, or if the file is this machine's own.
std::optional<uint64_t> bytes_promised(const nix::NarInfo& narinfo, const BinaryCache& cache) {
  if (!cache.is_remote()) return std::nullopt;
  if (narinfo.file_size) return narinfo.file_size;
  return narinfo.compression == "none" ? std::optional(narinfo.info.nar_size) : std::nullopt;
}

void require_all(uint64_t bytes, const nix::NarInfo& narinfo, const BinaryCache& cache) {
  if (const auto promised = bytes_promised(narinfo, cache); promised && bytes < *promised)
    throw CutShort{bytes};
}

ByteSink sink_of(NarUnpacking& unpacking) {
  return [&](std::string_view piece) { unpacking.feed(piece); };
}

}  // namespace

uint64_t announced_size(const nix::NarInfo& narinfo) {
  return narinfo.file_size.value_or(narinfo.info.nar_size);
}

NarFetcher::NarFetcher(uint64_t memory, unsigned workers, std::function<void(uint64_t)> on_progress,
                       std::function<void(uint64_t)> allow)
    : memory_(memory),
      workers_(workers),
      on_progress_(std::move(on_progress)),
      allow_(std::move(allow)),
      budget_(memory / 8 * 5) {}

void NarFetcher::fetch(const nix::NarInfo& narinfo, BinaryCache& cache, std::unique_ptr<NarFile> ahead,
                       const fs::path& tree, Decompressors& decompressors, bool of_peer) {
  for (bool again = true;; again = false) {
    try {
      if (announced_size(narinfo) > small_file)
        unpack_large(narinfo, cache, tree, decompressors);
      else
        unpack_small(narinfo, cache, std::move(ahead), tree, decompressors);
      return;
    } catch (const CutShort& cut) {
      remove_tree(tree);
      if (of_peer)
        fail(ErrorKind::untrusted, "{}: {} ended after {} of {} bytes", cache.url(), narinfo.url, cut.bytes,
             *bytes_promised(narinfo, cache));
      if (!again)
        fail(ErrorKind::unavailable, "cache {}: {} ended after {} of {} bytes, twice", cache.url(),
             narinfo.url, cut.bytes, *bytes_promised(narinfo, cache));
    }
  }
}

void NarFetcher::fetch_delta(const nix::NarInfo& narinfo, BinaryCache& cache, const fs::path& tree,
                             std::function<std::vector<bool>(const std::string&, size_t)> begin) {
  in_context_of(cache.url(), [&] {
    store::fetch_delta(narinfo, cache, tree, budget_,
                       {.begin = std::move(begin),
                        .read = [this](NarFile& file, std::string& piece) { return read(file, piece); },
                        .count =
                            [this](uint64_t bytes) {
                              keep_pace(bytes);
                              bytes_fetched_ += bytes;
                            }});
  });
}

void NarFetcher::stop() {
  stop_ = true;
  budget_.close();
}

// A small file is read as a whole before it asks for memory, a large one is opened when it has it: while a
// worker waits for memory, no transfer of its own is open that could fill its buffer and block, on a
// connection that they share, the files of those who have the memory. It holds no other memory either; the
// claim on the path keeps waiting only other processes, and those only when they have nothing else to do.
// So whoever has memory comes to an end and gives it back.
void NarFetcher::unpack_small(const nix::NarInfo& narinfo, BinaryCache& cache, std::unique_ptr<NarFile> file,
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
  require_all(all.size(), narinfo, cache);
  with_memory(narinfo, tree, decompressors, [&](uint64_t memory) {
    NarUnpacking unpacking(narinfo.info, tree);
    Decompressor& decompressor =
        decompressors.get(narinfo.compression, {.memory = memory}, sink_of(unpacking));
    blamed(cache, [&] {
      decompressor.whole(all, narinfo.info.nar_size);
      unpacking.finish();
    });
  });
}

void NarFetcher::unpack_large(const nix::NarInfo& narinfo, BinaryCache& cache, const fs::path& tree,
                              Decompressors& decompressors) {
  with_memory(narinfo, tree, decompressors, [&](uint64_t memory) {
    DecompressorOptions how{.memory = memory};
    std::optional<MemoryBudget::Grant> more;  // for threads; without waiting, they are not needed
    if (const uint64_t most = memory_for_threads(narinfo.compression); most > 0 && workers_ > 1) {
      if (most > memory) more = budget_.try_take(most - memory);
      how.memory = more ? most : memory;
      how.threads = more || most <= memory ? workers_ : 1;
    }
    const auto file = cache.open_nar(narinfo, large_buffer(memory_, workers_));
    NarUnpacking unpacking(narinfo.info, tree);
    Decompressor& decompressor = decompressors.get(narinfo.compression, how, sink_of(unpacking));
    uint64_t bytes = 0;
    for (std::string piece; read(*file, piece); bytes += piece.size())
      blamed(cache, [&] { decompressor.feed(piece); });
    require_all(bytes, narinfo, cache);
    blamed(cache, [&] {
      decompressor.finish();
      unpacking.finish();
    });
    if (more) decompressors.clear();
  });
}

// Calls `work` with what its decoder may use, from the beginning again if that was too little.
template <typename Work>
void NarFetcher::with_memory(const nix::NarInfo& narinfo, const fs::path& tree, Decompressors& decompressors,
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
MemoryBudget::Grant NarFetcher::take_memory(uint64_t memory, uint64_t nar_size,
                                            Decompressors& decompressors) {
  const uint64_t bytes = std::min(memory, nar_size) + std::min(NarUnpacking::memory, nar_size);
  auto grant = budget_.try_take(bytes);
  if (!grant) {
    decompressors.clear();  // their memory helps others on
    grant = budget_.take(bytes);
  }
  if (!grant) throw Stopped();
  return std::move(*grant);
}

// Whoever waits here reads nothing, so its transfer's buffer fills and the cache stops sending.
void NarFetcher::keep_pace(size_t bytes) {
  if (!allow_) return;
  for (int64_t left = allowed_ -= static_cast<int64_t>(bytes); left < 0; left = allowed_ += allowance_step) {
    if (stop_) throw Stopped();
    allow_(allowance_step);
  }
}

bool NarFetcher::read(NarFile& file, std::string& piece) {
  if (!file.read(piece)) return false;
  keep_pace(piece.size());
  if (stop_) throw Stopped();
  bytes_fetched_ += piece.size();
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  if (auto last = last_progress_.load();
      now - last > progress_interval && last_progress_.compare_exchange_strong(last, now))
    on_progress_(bytes_fetched_);
  return true;
}

}  // namespace flox::store
