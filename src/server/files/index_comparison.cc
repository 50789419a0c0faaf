#include "server/files/index_comparison.h"

#include <zstd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "nix/nar_parser.h"

namespace flox::server {
namespace {

constexpr int window_log = 24;  // of zstd: no frame of an index holds more (NarIndex::max_frame)
static_assert(size_t{1} << window_log == store::NarIndex::max_frame);

[[noreturn]] void differs(std::string_view what) {
  fail(ErrorKind::untrusted, "{} not what the index says", what);
}

// Goes through the index's nodes and chunks as the NAR tells of its own.
class TreeComparison : public nix::NarHandler {
 public:
  explicit TreeComparison(const store::NarIndex& index) : index_(index) {}

  void name(std::string_view name) override { name_ = name; }
  void begin_directory() override {
    const auto number = static_cast<uint32_t>(node_);
    next(store::NarIndex::Type::directory);
    directories_.push_back(number);
  }
  void end_directory() override { directories_.pop_back(); }
  void symlink(std::string_view target) override {
    if (next(store::NarIndex::Type::symlink).target != target) differs("a link's target is");
  }
  void begin_regular(bool executable, uint64_t size) override {
    const auto& node = next(executable ? store::NarIndex::Type::executable : store::NarIndex::Type::regular);
    if (node.size != size) differs("a file's size is");
    chunk_ = node.first_chunk;
  }
  // A file's chunks have its size together, and the parser gives no more.
  void contents(std::string_view piece) override {
    while (!piece.empty()) {
      const store::NarIndex::Chunk& chunk = index_.chunks[chunk_];
      const auto now = piece.substr(0, chunk.size - done_);
      hash_->update(now);
      done_ += static_cast<uint32_t>(now.size());
      piece.remove_prefix(now.size());
      if (done_ < chunk.size) continue;
      if (hash_->finish() != chunk.hash) differs("a chunk's hash is");
      hash_.emplace();
      ++chunk_;
      done_ = 0;
    }
  }
  void end_regular() override {}
  void finish() const {
    if (node_ != index_.nodes.size()) differs("the number of its files is");
  }

 private:
  const store::NarIndex::Node& next(store::NarIndex::Type type) {
    if (node_ == index_.nodes.size()) differs("the number of its files is");
    const auto& node = index_.nodes[node_++];
    const uint32_t parent = directories_.empty() ? 0 : directories_.back();
    if (node.type != type || node.parent != parent || node.name != std::exchange(name_, {}))
      differs("a file's name, place or type is");
    return node;
  }

  const store::NarIndex& index_;
  size_t node_ = 0;                        // the next
  std::string name_;                       // of the next
  std::vector<uint32_t> directories_;      // that are open
  size_t chunk_ = 0;                       // the one under way
  uint32_t done_ = 0;                      // bytes of it
  std::optional<Sha256> hash_ = Sha256();  // of these
};

}  // namespace

struct IndexComparison::State {
  explicit State(const store::NarIndex& given)
      : index(given), tree(given), parser(tree), context(ZSTD_createDCtx(), &ZSTD_freeDCtx) {
    if (!context || ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, window_log)) != 0)
      fail(ErrorKind::internal, "out of memory for zstd");
    buffer.resize(ZSTD_DStreamOutSize());
  }

  // Bytes of the frame under way.
  void unpack(std::string_view piece) {
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    for (;;) {
      ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
      const size_t left = ZSTD_decompressStream(context.get(), &out, &in);
      if (ZSTD_isError(left) != 0) differs("a frame is");
      unpacked += out.pos;
      if (unpacked > index.frames[frame].nar_size) differs("what a frame holds is");
      parser.feed(std::string_view(buffer).substr(0, out.pos));
      is_whole = left == 0;
      // What fills the buffer may have more behind it, but for what is whole.
      if (in.pos == in.size && (is_whole || out.pos < out.size)) return;
    }
  }
  void end_frame() {
    if (!is_whole || unpacked != index.frames[frame].nar_size) differs("what a frame holds is");
    ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_only);
    ++frame;
    packed = unpacked = 0;
    is_whole = false;
  }

  const store::NarIndex& index;
  TreeComparison tree;
  nix::NarParser parser;
  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context;
  std::string buffer;
  size_t frame = 0;       // the one under way
  uint64_t packed = 0;    // bytes of it that came
  uint64_t unpacked = 0;  // what they unpacked to
  bool is_whole = false;  // nothing of it is missing in what came
};

IndexComparison::IndexComparison(const store::NarIndex& index) : state_(std::make_unique<State>(index)) {}
IndexComparison::~IndexComparison() = default;

void IndexComparison::feed(std::string_view piece) {
  const auto& frames = state_->index.frames;
  while (!piece.empty()) {
    if (state_->frame == frames.size()) differs("the file's size is");
    const uint64_t size = frames[state_->frame].file_size;
    const auto now =
        piece.substr(0, static_cast<size_t>(std::min<uint64_t>(size - state_->packed, piece.size())));
    state_->unpack(now);
    state_->packed += now.size();
    piece.remove_prefix(now.size());
    if (state_->packed == size) state_->end_frame();
  }
}

void IndexComparison::finish() {
  if (state_->frame != state_->index.frames.size()) differs("the file's size is");
  state_->parser.finish();
  state_->tree.finish();
}

}  // namespace flox::server
