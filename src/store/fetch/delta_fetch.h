// Gets the chunks of a path that this node does not have yet, by ranges of its NAR file. The fetcher's side.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "nix/narinfo.h"
#include "store/cache/binary_cache.h"
#include "store/fetch/memory_budget.h"
#include "store/index/nar_index.h"

namespace flox::store {

// Indexes that are larger are not used, in bytes: of the file, which the installer gets in one message, and
// unpacked, which is that of a path of some 9 GB. Both sides keep to it.
inline constexpr size_t largest_delta_index = 6 << 20;
inline constexpr size_t most_delta_index = 5 << 20;

// A part of a NAR file that is asked for in one request, and the frames that are wanted of it.
struct FrameRange {
  BinaryCache::Part part;
  std::vector<uint32_t> frames;  // indices, rising
};

// Which ranges have all chunks that are missing. Frames that lie near each other are asked for together: what
// is between takes less time than another request.
std::vector<FrameRange> ranges_of(const NarIndex& index, const std::vector<bool>& missing);

// How a DeltaFetch gets on. All may throw what is not its own to deal with.
struct DeltaSteps {
  // Makes the tree of what is here already, by the index's file: which chunks are missing (delta_tree.h).
  std::function<std::vector<bool>(const std::string& index, size_t chunks)> begin;
  // As NarFile::read(), with whatever is counted and waited for.
  std::function<bool(NarFile& file, std::string& piece)> read;
  // Bytes that came in another way.
  std::function<void(uint64_t bytes)> count;
};

// Makes the tree. Throws Error if the index, the cache or what it sends cannot be used: then the whole NAR is
// to be fetched, as it is for Error(unavailable) because so much is missing that this would gain nothing.
// What is at `tree` then, the caller removes. Memory is taken of the budget, and it is Error(unavailable) if
// that has not so much, or is closed.
void fetch_delta(const nix::NarInfo& narinfo, BinaryCache& cache, const std::filesystem::path& tree,
                 MemoryBudget& budget, const DeltaSteps& steps);

}  // namespace flox::store
