#include "store/index/framed_nar.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "nix/nar_parser.h"
#include "store/index/chunk_cutter.h"
#include "store/index/frame_compressor.h"

namespace flox::store {

// What the parser tells goes into the index and, byte for byte, into the frame under way.
struct FramedNar::State : nix::NarHandler {
  State(int level, unsigned threads, ByteSink given)
      : sink(std::move(given)),
        compressor(level, threads, [this](FrameJob& job) { take(job); }),
        job(compressor.make_job()) {}

  ByteSink sink;
  NarIndex index;
  std::string next_name;
  std::vector<uint32_t> directories;  // that are open
  ChunkCutter cutter;
  uint32_t chunk_begin = 0;  // in the frame under way
  uint64_t file_left = 0;    // bytes of the file under way
  uint64_t position = 0;     // in the NAR
  size_t hashed = 0;         // chunks whose hashes have come
  FrameCompressor compressor;
  std::unique_ptr<FrameJob> job;
  nix::NarParser parser{*this};

  NarIndex::Node& add_node(NarIndex::Type type) {
    NarIndex::Node& node = index.nodes.emplace_back();
    node.type = type;
    node.parent = directories.empty() ? 0 : directories.back();
    node.name = std::exchange(next_name, {});
    return node;
  }
  void name(std::string_view name) override { next_name = name; }
  void begin_directory() override {
    const auto number = static_cast<uint32_t>(index.nodes.size());
    add_node(NarIndex::Type::directory);
    directories.push_back(number);
  }
  void end_directory() override { directories.pop_back(); }
  void symlink(std::string_view target) override { add_node(NarIndex::Type::symlink).target = target; }

  // A large file begins a frame of its own and ends one, so that reading it needs few of its neighbours.
  void begin_regular(bool executable, uint64_t size) override {
    NarIndex::Node& node = add_node(executable ? NarIndex::Type::executable : NarIndex::Type::regular);
    node.size = file_left = size;
    node.nar_offset = position;
    node.first_chunk = static_cast<uint32_t>(index.chunks.size());
    if (size >= frame_size && job->nar.size() >= frame_size / 2) end_frame();
    cutter.reset();
    chunk_begin = static_cast<uint32_t>(job->nar.size());
  }
  void contents(std::string_view piece) override {
    while (!piece.empty()) {
      const ChunkCutter::Piece next = cutter.next(piece);
      job->nar.append(piece.substr(0, next.size));
      piece.remove_prefix(next.size);
      position += next.size;
      file_left -= next.size;
      if (next.ends || file_left == 0) end_chunk();
    }
  }
  void end_chunk() {
    const auto size = static_cast<uint32_t>(job->nar.size()) - chunk_begin;
    job->parts.push_back({.offset = chunk_begin, .size = size});
    index.chunks.push_back(
        {.nar_offset = position - size, .size = size, .frame = static_cast<uint32_t>(frames_begun)});
    ++index.nodes.back().chunk_count;
    if (job->nar.size() >= frame_size) end_frame();
    chunk_begin = static_cast<uint32_t>(job->nar.size());
  }
  void end_regular() override {
    if (index.nodes.back().size >= frame_size && job->nar.size() >= frame_size / 2) end_frame();
  }
  void structure(std::string_view bytes) override {
    job->nar.append(bytes);
    position += bytes.size();
    if (job->nar.size() >= frame_size) end_frame();
  }

  size_t frames_begun = 0;
  void end_frame() {
    if (job->nar.empty()) return;
    ++frames_begun;
    compressor.push(std::move(job));
    job = compressor.make_job();
  }
  void take(FrameJob& done) {
    index.frames.push_back({.file_offset = index.file_size,
                            .file_size = done.compressed.size(),
                            .nar_offset = index.nar_size,
                            .nar_size = done.nar.size()});
    index.file_size += done.compressed.size();
    index.nar_size += done.nar.size();
    for (const Sha256Digest& hash : done.hashes) index.chunks[hashed++].hash = hash;
    sink(done.compressed);
  }
};

FramedNar::FramedNar(int level, unsigned threads, ByteSink sink)
    : state_(std::make_unique<State>(level, threads, std::move(sink))) {}
FramedNar::~FramedNar() = default;
void FramedNar::feed(std::string_view piece) { state_->parser.feed(piece); }

NarIndex FramedNar::finish() {
  state_->parser.finish();
  state_->end_frame();
  state_->compressor.finish();
  return std::move(state_->index);
}

}  // namespace flox::store
