// What is in a NAR and where in its compressed file: the tree, the chunks of its files with their hashes, and
// the frames that can be decompressed by themselves (docs/formats/nar-index.md).
#pragma once  // Fuzzed by fuzz/nar_index.cc.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/data/sha256.h"

namespace flox::nix {
struct NarInfo;
}

namespace flox::store {

// Values only; not changed once it is complete.
struct NarIndex {
  enum class Type : uint8_t { regular = 1, executable = 2, symlink = 3, directory = 4 };

  // Of the NAR file, in its order, and what they decompress to, in the NAR's order. Bytes.
  struct Frame {
    uint64_t file_offset = 0;
    uint64_t file_size = 0;
    uint64_t nar_offset = 0;
    uint64_t nar_size = 0;
  };
  // A part of a file's contents, in the NAR's order; in one frame as a whole.
  struct Chunk {
    uint64_t nar_offset = 0;
    uint32_t size = 0;   // bytes
    uint32_t frame = 0;  // index in `frames`
    Sha256Digest hash{};
  };
  // In the NAR's order: a directory before what is in it. The first is the top, which has no name.
  struct Node {
    Type type = Type::regular;
    uint32_t parent = 0;  // index in `nodes`; the top's own
    std::string name = {};
    std::string target = {};  // of a symlink
    // Of a regular file:
    uint64_t size = 0;         // bytes
    uint64_t nar_offset = 0;   // of its contents
    uint32_t first_chunk = 0;  // its chunks are one after the other
    uint32_t chunk_count = 0;  // 0 only if it is empty

    bool is_file() const noexcept { return type == Type::regular || type == Type::executable; }
  };

  // More has no index: what a reader must hold in memory is bounded (about 150 MiB at the limits).
  static constexpr size_t max_bytes = 32 << 20;  // of to_bytes()
  static constexpr size_t max_nodes = 500'000;
  static constexpr size_t max_chunks = 600'000;
  static constexpr size_t max_frames = 600'000;
  static constexpr uint64_t max_frame = 16 << 20;  // bytes of NAR in one
  static constexpr uint64_t max_chunk = 4 << 20;   // bytes

  Sha256Digest nar_hash{};
  Sha256Digest file_hash{};
  uint64_t nar_size = 0;
  uint64_t file_size = 0;
  std::vector<Frame> frames = {};
  std::vector<Node> nodes = {};
  std::vector<Chunk> chunks = {};

  // Reads what to_bytes() wrote. Throws Error(invalid_input) for everything else: what is read describes one
  // NAR of just nar_size bytes, whose every byte is in a frame, and every chunk in one.
  static NarIndex parse(std::string_view bytes);
  std::string to_bytes() const;

  // The file that lies beside the NAR: the bytes, compressed by zstd. Throws Error(invalid_input) as parse()
  // does, and for over nix::max_index_size, or `most` of the bytes, before so much is allocated. In memory
  // they take up to five times as much.
  static NarIndex unpack(std::string_view file, size_t most = max_bytes);
  // Nothing for an index over the limits.
  std::optional<std::string> pack() const;

  // Throws Error(untrusted) unless it names the NAR of the narinfo, and the NAR's file as far as that names
  // it.
  void require_is_of(const nix::NarInfo& narinfo) const;
  // The path of a node below the top, "share/doc/x"; empty for the top.
  std::string path_of(size_t node) const;
};

}  // namespace flox::store
