// Indexes of NARs from a cache, as they come and unpacked.
#include "store/index/nar_index.h"

#include <optional>

#include "fuzz.h"

namespace flox::fuzz::of_nar_index {
namespace {

void check(const store::NarIndex& index) {
  uint64_t file = 0, nar = 0;
  for (const auto& frame : index.frames) {
    require(frame.file_offset == file && frame.nar_offset == nar, "frames lie one after the other");
    file += frame.file_size;
    nar += frame.nar_size;
  }
  require(file == index.file_size && nar == index.nar_size, "frames are the whole file");
  for (const auto& chunk : index.chunks) {
    const auto& frame = index.frames.at(chunk.frame);
    require(chunk.nar_offset >= frame.nar_offset &&
                chunk.nar_offset + chunk.size <= frame.nar_offset + frame.nar_size,
            "a chunk is in its frame");
  }
  for (size_t i = 0; i < index.nodes.size(); ++i) {
    const auto& node = index.nodes[i];
    require(i == 0 ? node.parent == 0 : node.parent < i, "a directory is before what is in it");
    uint64_t size = 0;
    for (uint32_t chunk = 0; chunk < node.chunk_count; ++chunk)
      size += index.chunks.at(node.first_chunk + chunk).size;
    require(size == node.size && node.nar_offset + node.size <= index.nar_size, "a file is its chunks");
  }
}

}  // namespace

void one(std::string_view input) {
  std::optional<store::NarIndex> index;
  if (accepts([&] { index = store::NarIndex::parse(input); })) {
    check(*index);
    require(index->to_bytes() == input, "an index that was read is written as it was");
  }
  if (accepts([&] { index = store::NarIndex::unpack(input); })) check(*index);
}

}  // namespace flox::fuzz::of_nar_index
