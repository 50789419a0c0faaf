#include "store/cache/compress.h"

#include <lzma.h>
#include <zstd.h>

#include <algorithm>

#include "base/error.h"

namespace flox::store {
namespace {

constexpr size_t compressed_piece = 256 * 1024;
constexpr int zstd_default_level = 3;
constexpr int xz_default_level = 6;
// From here on a NAR is worth threads of its own; below, other NARs keep the cores busy.
constexpr uint64_t large = 8 << 20;
// xz's blocks are compressed independently. Its own choice, three dictionaries (24 MiB at level 6), leaves a
// core idle for most NARs; at two dictionaries the files grow by under 1 %.
constexpr uint64_t xz_block = 16 << 20;

int level_of(const Compression& compression, int usual, int lowest, int highest) {
  const int level = compression.level == 0 ? usual : compression.level;
  if (level < lowest || level > highest)
    fail(ErrorKind::invalid_input, "{} has levels from {} to {}, and {} is given", compression.method, lowest,
         highest, level);
  return level;
}

class Plain : public Compressor {
 public:
  explicit Plain(ByteSink sink) : sink_(std::move(sink)) {}
  void feed(std::string_view piece) override { sink_(piece); }
  void finish() override {}

 private:
  ByteSink sink_;
};

class ZstdCompressor : public Compressor {
 public:
  ZstdCompressor(int level, uint64_t size, unsigned threads, ByteSink sink)
      : sink_(std::move(sink)), context_(ZSTD_createCCtx(), &ZSTD_freeCCtx) {
    if (!context_) fail(ErrorKind::internal, "out of memory for zstd");
    set(ZSTD_c_compressionLevel, level);
    set(ZSTD_c_checksumFlag, 1);
    if (threads > 1 && size >= large) set(ZSTD_c_nbWorkers, static_cast<int>(threads));
    check(ZSTD_CCtx_setPledgedSrcSize(context_.get(), size));  // small tables for small NARs
  }
  void feed(std::string_view piece) override { step(piece, ZSTD_e_continue); }
  void finish() override { step({}, ZSTD_e_end); }

 private:
  void set(ZSTD_cParameter parameter, int value) {
    check(ZSTD_CCtx_setParameter(context_.get(), parameter, value));
  }
  static size_t check(size_t result) {
    if (ZSTD_isError(result) != 0) fail(ErrorKind::internal, "zstd: {}", ZSTD_getErrorName(result));
    return result;
  }
  void step(std::string_view piece, ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    for (;;) {
      ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
      const size_t left = check(ZSTD_compressStream2(context_.get(), &out, &in, directive));
      if (out.pos > 0) sink_({buffer_.data(), out.pos});
      if (directive == ZSTD_e_end ? left == 0 : in.pos == in.size) return;
    }
  }

  ByteSink sink_;
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context_;
  std::string buffer_ = std::string(compressed_piece, '\0');
};

class XzCompressor : public Compressor {
 public:
  XzCompressor(int level, uint64_t size, unsigned threads, ByteSink sink) : sink_(std::move(sink)) {
    lzma_ret code = LZMA_OK;
    if (threads > 1 && size >= large) {
      lzma_mt options{};
      options.threads = threads;
      options.block_size = std::min(xz_block, (size / threads + 1));
      options.preset = static_cast<uint32_t>(level);
      options.check = LZMA_CHECK_CRC64;
      code = lzma_stream_encoder_mt(&stream_, &options);
    } else {
      code = lzma_easy_encoder(&stream_, static_cast<uint32_t>(level), LZMA_CHECK_CRC64);
    }
    if (code != LZMA_OK) fail(ErrorKind::internal, "xz: cannot begin (code {})", static_cast<int>(code));
  }
  XzCompressor(const XzCompressor&) = delete;
  XzCompressor& operator=(const XzCompressor&) = delete;
  ~XzCompressor() override { lzma_end(&stream_); }
  void feed(std::string_view piece) override { step(piece, LZMA_RUN); }
  void finish() override { step({}, LZMA_FINISH); }

 private:
  void step(std::string_view piece, lzma_action action) {
    stream_.next_in = reinterpret_cast<const uint8_t*>(piece.data());
    stream_.avail_in = piece.size();
    for (;;) {
      stream_.next_out = reinterpret_cast<uint8_t*>(buffer_.data());
      stream_.avail_out = buffer_.size();
      const lzma_ret code = lzma_code(&stream_, action);
      if (const size_t size = buffer_.size() - stream_.avail_out; size > 0) sink_({buffer_.data(), size});
      if (code == LZMA_STREAM_END) return;
      if (code != LZMA_OK) fail(ErrorKind::internal, "xz: failed (code {})", static_cast<int>(code));
      if (action == LZMA_RUN && stream_.avail_in == 0) return;
    }
  }

  ByteSink sink_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  std::string buffer_ = std::string(compressed_piece, '\0');
};

}  // namespace

std::unique_ptr<Compressor> make_compressor(const Compression& compression, uint64_t size, unsigned threads,
                                            ByteSink sink) {
  if (compression.method == "none") return std::make_unique<Plain>(std::move(sink));
  if (compression.method == "zstd")
    return std::make_unique<ZstdCompressor>(level_of(compression, zstd_default_level, 1, ZSTD_maxCLevel()),
                                            size, threads, std::move(sink));
  if (compression.method == "xz")
    return std::make_unique<XzCompressor>(level_of(compression, xz_default_level, 1, 9), size, threads,
                                          std::move(sink));
  fail(ErrorKind::invalid_input, "'{}' is not a supported compression; supported: none, zstd and xz",
       compression.method);
}

}  // namespace flox::store
