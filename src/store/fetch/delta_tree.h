// Makes as much of a new tree as can be made of others on this disk. The installer's side.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "store/index/nar_index.h"

namespace flox::store {

// Makes the index's tree at `tree`, which must not exist and be out of others' reach, with the modes that an
// unpacker gives (NarUnpacker::SetModes::later), and writes each chunk into it that a file of the `bases`
// has, too, or that stands at its place of the NAR in `unfinished`: a file that begins with what has come of
// this very NAR, with holes where nothing has; empty: there is none. A chunk is written from the
// same memory in which its hash was seen to be right: what happens to a base meanwhile does not matter, and
// what cannot be read of it counts as absent. Gives for each chunk whether it is missing, and zeros stand in
// its place. Throws Error if the tree cannot be made, or once `is_over` says so.
std::vector<bool> make_delta_tree(const NarIndex& index, const std::vector<std::filesystem::path>& bases,
                                  const std::filesystem::path& unfinished, const std::filesystem::path& tree,
                                  const std::function<bool()>& is_over);

// Writes chunks of an index into the files of its tree. One thread at a time.
class ChunkWriter {
 public:
  // The references must outlive it.
  ChunkWriter(const NarIndex& index, const std::filesystem::path& tree) : index_(index), tree_(tree) {}
  // `bytes` are those of the chunk with this number. Nothing on the way is followed. Throws Error.
  void write(size_t chunk, std::string_view bytes);

 private:
  const NarIndex& index_;
  const std::filesystem::path& tree_;
  std::vector<uint32_t> files_;  // nodes with chunks
  size_t node_ = static_cast<size_t>(-1);
  Fd file_;  // of that node
};

}  // namespace flox::store
