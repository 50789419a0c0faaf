#include "store/index/nar_index.h"

#include <zstd.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/os/directory.h"
#include "nix/cache_layout.h"
#include "nix/nar.h"
#include "nix/nar_sizes.h"
#include "nix/narinfo.h"

namespace flox::store {
namespace {

constexpr std::string_view index_magic = "floxidx1";
constexpr size_t max_target = 4095;  // bytes, as in a NAR
constexpr int index_level = 9;       // of zstd: what is written once and read often

[[noreturn]] void refuse_index(std::string_view why) {
  fail(ErrorKind::invalid_input, "malformed NAR index: {}", why);
}

// Numbers are little-endian, seven bits a byte, all bytes but the last with the eighth bit.
void put_number(std::string& to, uint64_t number) {
  for (; number >= 0x80; number >>= 7) to += static_cast<char>(0x80 | (number & 0x7f));
  to += static_cast<char>(number);
}

void put_text(std::string& to, std::string_view text) {
  put_number(to, text.size());
  to += text;
}

class IndexReader {
 public:
  explicit IndexReader(std::string_view bytes) : left_(bytes) {}

  std::string_view take(size_t size) {
    if (left_.size() < size) refuse_index("it is cut off");
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }
  // At most `most`, in its shortest form: what is read is written back as it was.
  uint64_t number(uint64_t most, std::string_view what) {
    uint64_t result = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1).front());
      if (shift == 63 && byte > 1) refuse_index("a number has more than 64 bits");
      if (shift > 0 && byte == 0) refuse_index("a number is not in its shortest form");
      result |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) break;
    }
    if (result > most) refuse_index(fmt::format("{} is {}, and {} is the most", what, result, most));
    return result;
  }
  Sha256Digest digest() {
    Sha256Digest result;
    std::ranges::copy(take(result.size()), result.begin());
    return result;
  }
  bool is_at_end() const noexcept { return left_.empty(); }
  size_t left() const noexcept { return left_.size(); }

 private:
  std::string_view left_;
};

// Reads the tree and sees where each file's contents lie in the NAR.
class TreeReader {
 public:
  TreeReader(IndexReader& in, NarIndex& to) : in_(in), to_(to) {}

  // Gives the size of the NAR.
  uint64_t read() {
    uint64_t position = nix::nar_magic_size;
    position = node("", 0, position);
    while (!open_.empty()) {
      const auto length = static_cast<size_t>(in_.number(255, "the length of a name"));
      if (length == 0) {
        open_.pop_back();
        position += nix::node_end_size + (open_.empty() ? 0 : nix::entry_end_size);
        continue;
      }
      const std::string_view name = in_.take(length);
      if (!is_file_name(name)) refuse_index("a name cannot be a file's");
      Open& directory = open_.back();
      if (name <= directory.last) refuse_index("names are not sorted");
      directory.last = name;
      position = node(name, directory.node, position + nix::entry_begin_size(length));
    }
    return position;
  }

 private:
  struct Open {
    uint32_t node;
    std::string_view last;  // name
  };

  // Sizes are bounded, so that no sum overflows.
  uint64_t node(std::string_view name, uint32_t parent, uint64_t position) {
    if (to_.nodes.size() == NarIndex::max_nodes) refuse_index("it has too many files");
    if (open_.size() > nix::max_nar_depth) refuse_index("its tree is too deep");
    const auto number = static_cast<uint32_t>(to_.nodes.size());
    NarIndex::Node& node = to_.nodes.emplace_back();
    node.type = static_cast<NarIndex::Type>(in_.number(4, "the type of a node"));
    node.name = name;
    node.parent = parent;
    position += nix::node_begin_size;
    switch (node.type) {
      case NarIndex::Type::directory:
        open_.push_back({number, {}});
        return position + nix::directory_begin_size;
      case NarIndex::Type::symlink: {
        node.target = in_.take(static_cast<size_t>(in_.number(max_target, "the length of a target")));
        if (node.target.empty() || node.target.find('\0') != std::string::npos)
          refuse_index("a symlink has an impossible target");
        position += nix::symlink_size(node.target.size());
        break;
      }
      case NarIndex::Type::regular:
      case NarIndex::Type::executable: {
        position += nix::regular_begin_size(node.type == NarIndex::Type::executable);
        node.size = in_.number(to_.nar_size, "the size of a file");
        node.nar_offset = position;
        chunks(node);
        position += nix::padded(node.size);
        break;
      }
      default:
        refuse_index("a node has no type");
    }
    position += nix::node_end_size + (open_.empty() ? 0 : nix::entry_end_size);
    if (position > to_.nar_size) refuse_index("its files are larger than the NAR");
    return position;
  }

  void chunks(NarIndex::Node& node) {
    node.first_chunk = static_cast<uint32_t>(to_.chunks.size());
    for (uint64_t done = 0; done < node.size;) {
      if (to_.chunks.size() == NarIndex::max_chunks) refuse_index("it has too many chunks");
      const uint64_t size =
          in_.number(std::min(NarIndex::max_chunk, node.size - done), "the size of a chunk");
      if (size == 0) refuse_index("a chunk is empty");
      to_.chunks.push_back({.nar_offset = node.nar_offset + done, .size = static_cast<uint32_t>(size)});
      done += size;
    }
    node.chunk_count = static_cast<uint32_t>(to_.chunks.size()) - node.first_chunk;
  }

  IndexReader& in_;
  NarIndex& to_;
  std::vector<Open> open_;
};

void read_frames(IndexReader& in, NarIndex& to) {
  const uint64_t count = in.number(NarIndex::max_frames, "the number of frames");
  if (count > in.left() / 2) refuse_index("it is cut off");
  to.frames.reserve(count);
  uint64_t file = 0, nar = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t file_size = in.number(to.file_size - file, "the size of a frame");
    const uint64_t nar_size =
        in.number(std::min(NarIndex::max_frame, to.nar_size - nar), "what a frame holds");
    if (file_size == 0 || nar_size == 0) refuse_index("a frame is empty");
    to.frames.push_back(
        {.file_offset = file, .file_size = file_size, .nar_offset = nar, .nar_size = nar_size});
    file += file_size;
    nar += nar_size;
  }
  if (file != to.file_size || nar != to.nar_size) refuse_index("its frames are not the whole file");
}

// Both are in the NAR's order.
void place_chunks(NarIndex& index) {
  size_t frame = 0;
  for (NarIndex::Chunk& chunk : index.chunks) {
    while (chunk.nar_offset >= index.frames[frame].nar_offset + index.frames[frame].nar_size) ++frame;
    if (chunk.nar_offset + chunk.size > index.frames[frame].nar_offset + index.frames[frame].nar_size)
      refuse_index("a chunk is in two frames");
    chunk.frame = static_cast<uint32_t>(frame);
  }
}

}  // namespace

NarIndex NarIndex::parse(std::string_view bytes) {
  // No sum of two of these overflows.
  constexpr uint64_t largest = std::numeric_limits<int64_t>::max() / 4;
  if (bytes.size() > max_bytes) refuse_index("it is too large");
  IndexReader in(bytes);
  if (in.take(std::min(index_magic.size(), bytes.size())) != index_magic)
    refuse_index("it does not begin as one");
  NarIndex index;
  index.nar_hash = in.digest();
  index.file_hash = in.digest();
  index.nar_size = in.number(largest, "the size of the NAR");
  index.file_size = in.number(largest, "the size of the file");
  read_frames(in, index);
  if (TreeReader(in, index).read() != index.nar_size) refuse_index("its files do not make up the NAR");
  for (Chunk& chunk : index.chunks) chunk.hash = in.digest();
  if (!in.is_at_end()) refuse_index("there are bytes after its end");
  place_chunks(index);
  return index;
}

std::string NarIndex::to_bytes() const {
  std::string bytes(index_magic);
  bytes += bytes_of(nar_hash);
  bytes += bytes_of(file_hash);
  put_number(bytes, nar_size);
  put_number(bytes, file_size);
  put_number(bytes, frames.size());
  for (const Frame& frame : frames) {
    put_number(bytes, frame.file_size);
    put_number(bytes, frame.nar_size);
  }
  std::vector<uint32_t> open;  // directories
  for (uint32_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    for (; i > 0 && open.back() != node.parent; open.pop_back()) bytes += '\0';
    if (i > 0) put_text(bytes, node.name);
    bytes += static_cast<char>(node.type);
    if (node.type == Type::directory) open.push_back(i);
    if (node.type == Type::symlink) put_text(bytes, node.target);
    if (!node.is_file()) continue;
    put_number(bytes, node.size);
    for (uint32_t chunk = 0; chunk < node.chunk_count; ++chunk)
      put_number(bytes, chunks[node.first_chunk + chunk].size);
  }
  bytes.append(open.size(), '\0');
  for (const Chunk& chunk : chunks) bytes += bytes_of(chunk.hash);
  return bytes;
}

NarIndex NarIndex::unpack(std::string_view file, size_t most) {
  if (file.size() > nix::max_index_size) refuse_index("its file is too large");
  const auto size = ZSTD_getFrameContentSize(file.data(), file.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN)
    refuse_index("its file is not compressed by zstd, or does not say its size");
  if (size > most) refuse_index("it is too large");
  if (ZSTD_findFrameCompressedSize(file.data(), file.size()) != file.size())
    refuse_index("its file is damaged");
  std::string bytes(size, '\0');
  if (ZSTD_decompress(bytes.data(), bytes.size(), file.data(), file.size()) != bytes.size())
    refuse_index("its file is damaged");
  return parse(bytes);
}

std::optional<std::string> NarIndex::pack() const {
  if (nodes.size() > max_nodes || chunks.size() > max_chunks || frames.size() > max_frames)
    return std::nullopt;
  const std::string bytes = to_bytes();
  if (bytes.size() > max_bytes) return std::nullopt;
  std::string file(ZSTD_compressBound(bytes.size()), '\0');
  const size_t size = ZSTD_compress(file.data(), file.size(), bytes.data(), bytes.size(), index_level);
  if (ZSTD_isError(size) != 0) fail(ErrorKind::internal, "zstd: {}", ZSTD_getErrorName(size));
  file.resize(size);
  return size > nix::max_index_size ? std::nullopt : std::optional(std::move(file));
}

void NarIndex::require_is_of(const nix::NarInfo& narinfo) const {
  if (nar_hash != narinfo.info.nar_hash || nar_size != narinfo.info.nar_size ||
      file_hash != narinfo.file_hash.value_or(file_hash) ||
      file_size != narinfo.file_size.value_or(file_size))
    fail(ErrorKind::untrusted, "it is the index of another file");
}

std::string NarIndex::path_of(size_t node) const {
  std::string path = nodes[node].name;
  for (size_t at = nodes[node].parent; at > 0; at = nodes[at].parent) path = nodes[at].name + "/" + path;
  return path;
}

}  // namespace flox::store
