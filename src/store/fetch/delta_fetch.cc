#include "store/fetch/delta_fetch.h"

#include <zstd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/error.h"
#include "nix/cache_layout.h"
#include "store/fetch/delta_tree.h"

namespace flox::store {
namespace {

constexpr uint64_t near_enough = 128 << 10;   // bytes between two frames that are asked for together
constexpr uint64_t largest_range = 16 << 20;  // bytes: then another request
constexpr size_t range_buffer = 2 << 20;      // bytes that may wait
constexpr uint64_t largest_frame = 4 << 20;   // bytes of NAR; those of our own writers have a third of it

// Beyond this part of the file the rest is fetched, too, unless that takes hardly more requests: one stream
// is quicker than many ranges. Several threads decode it, and one what comes in ranges: 200 MB of which 1 %
// was there took 4.0 s in ranges and 2.6 s in a stream, on a busy machine with two cores, at 1 Gbit/s.
bool is_worth_it(uint64_t wanted, size_t ranges, uint64_t file_size) {
  return wanted < file_size / 4 * 3 ||
         (wanted <= file_size / 16 * 15 && ranges <= 2 + file_size / largest_range);
}

std::string fetch_index(const nix::NarInfo& narinfo, BinaryCache& cache) {
  const CacheAnswer answer = cache.ask(nix::index_file_name(*narinfo.index_hash));
  if (answer.error) throw Error(*answer.error);
  if (!answer.text) fail(ErrorKind::not_found, "it is missing");
  if (answer.text->size() > largest_delta_index)
    fail(ErrorKind::unavailable, "it is larger than is used here");
  if (sha256(*answer.text) != *narinfo.index_hash)
    fail(ErrorKind::untrusted, "it has not the hash that was signed");
  return *answer.text;
}

// The frames of one range, as its bytes come.
class FrameReader {
 public:
  FrameReader(const NarIndex& index, const std::vector<bool>& missing, ChunkWriter& writer)
      : index_(index), missing_(missing), writer_(writer), context_(ZSTD_createDCtx(), &ZSTD_freeDCtx) {
    if (!context_) fail(ErrorKind::internal, "out of memory for zstd");
  }

  void read(const FrameRange& range, const std::function<bool(std::string&)>& next) {
    uint64_t at = range.part.first;  // in the file, of the first byte that is kept
    std::string kept, piece;
    for (const uint32_t number : range.frames) {
      const NarIndex::Frame& frame = index_.frames[number];
      while (at + kept.size() < frame.file_offset + frame.file_size) {
        if (!next(piece)) fail(ErrorKind::unavailable, "the range ended early");
        kept += piece;
        const uint64_t unwanted = frame.file_offset > at ? frame.file_offset - at : 0;
        const auto dropped = static_cast<size_t>(std::min<uint64_t>(unwanted, kept.size()));
        kept.erase(0, dropped);
        at += dropped;
      }
      const auto before = static_cast<size_t>(frame.file_offset - at);
      unpack(number, std::string_view(kept).substr(before, frame.file_size));
      kept.erase(0, before + static_cast<size_t>(frame.file_size));
      at = frame.file_offset + frame.file_size;
    }
  }

 private:
  void unpack(uint32_t number, std::string_view bytes) {
    const NarIndex::Frame& frame = index_.frames[number];
    nar_.resize(frame.nar_size);
    if (ZSTD_decompressDCtx(context_.get(), nar_.data(), nar_.size(), bytes.data(), bytes.size()) !=
        nar_.size())
      fail(ErrorKind::untrusted, "a frame is not what the index says");
    const auto first = std::ranges::lower_bound(index_.chunks, number, {}, &NarIndex::Chunk::frame);
    for (auto chunk = first; chunk != index_.chunks.end() && chunk->frame == number; ++chunk) {
      const auto i = static_cast<size_t>(chunk - index_.chunks.begin());
      if (!missing_[i]) continue;
      const auto text = std::string_view(nar_).substr(chunk->nar_offset - frame.nar_offset, chunk->size);
      if (sha256(text) != chunk->hash)
        fail(ErrorKind::untrusted, "a chunk has not the hash that the index says");
      writer_.write(i, text);
    }
  }

  const NarIndex& index_;
  const std::vector<bool>& missing_;
  ChunkWriter& writer_;
  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context_;
  std::string nar_;
};

// A frame that is larger than what it holds by more than the bound cannot be one that zstd made.
void require_usual_frames(const NarIndex& index) {
  for (const auto& frame : index.frames)
    if (frame.nar_size > largest_frame || frame.file_size > ZSTD_compressBound(frame.nar_size))
      fail(ErrorKind::unavailable, "a frame is larger than is used here");
}

}  // namespace

std::vector<FrameRange> ranges_of(const NarIndex& index, const std::vector<bool>& missing) {
  std::vector<FrameRange> ranges;
  for (size_t i = 0; i < index.chunks.size(); ++i) {
    if (!missing[i]) continue;
    const uint32_t number = index.chunks[i].frame;
    if (!ranges.empty() && ranges.back().frames.back() == number) continue;
    const NarIndex::Frame& frame = index.frames[number];
    const uint64_t end = frame.file_offset + frame.file_size;
    if (!ranges.empty()) {
      FrameRange& last = ranges.back();
      if (frame.file_offset - (last.part.first + last.part.size) <= near_enough &&
          end - last.part.first <= largest_range) {
        last.part.size = end - last.part.first;
        last.frames.push_back(number);
        continue;
      }
    }
    ranges.push_back({.part = {.first = frame.file_offset, .size = frame.file_size}, .frames = {number}});
  }
  return ranges;
}

void fetch_delta(const nix::NarInfo& narinfo, BinaryCache& cache, const std::filesystem::path& tree,
                 MemoryBudget& budget, const DeltaSteps& steps) {
  // The index, one frame packed and unpacked, what waits of the range, and of the next one.
  const auto grant = budget.take(5 * most_delta_index + 2 * largest_frame + 2 * range_buffer);
  if (!grant) fail(ErrorKind::unavailable, "it was stopped");
  std::string packed;
  NarIndex index;
  in_context("its index", [&] {
    packed = fetch_index(narinfo, cache);
    index = NarIndex::unpack(packed, most_delta_index);
    index.require_is_of(narinfo);
    require_usual_frames(index);
  });
  steps.count(packed.size());
  const std::vector<bool> missing = steps.begin(packed, index.chunks.size());
  const std::vector<FrameRange> ranges = ranges_of(index, missing);
  uint64_t wanted = 0;
  for (const auto& range : ranges) wanted += range.part.size;
  if (!is_worth_it(wanted, ranges.size(), index.file_size))
    fail(ErrorKind::unavailable, "nearly all of it is missing");
  ChunkWriter writer(index, tree);
  FrameReader reader(index, missing, writer);
  std::unique_ptr<NarFile> ahead;
  for (size_t i = 0; i < ranges.size(); ++i) {
    const auto file = ahead ? std::move(ahead) : cache.open_part(narinfo, ranges[i].part, range_buffer);
    // Only what comes as a whole without being read: what waits could stop all that shares its connection,
    // and so the range that is read.
    if (i + 1 < ranges.size() && ranges[i + 1].part.size <= range_buffer)
      ahead = cache.open_part(narinfo, ranges[i + 1].part, range_buffer);
    reader.read(ranges[i], [&](std::string& piece) { return steps.read(*file, piece); });
  }
}

}  // namespace flox::store
