#include "store/cache/decompress.h"

#include <brotli/decode.h>
#include <bzlib.h>
#include <lzma.h>
#define ZSTD_STATIC_LINKING_ONLY  // ZSTD_getFrameHeader
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <string>

#include "base/error.h"
#include "store/cache/zstd_frames.h"

namespace flox::store {
namespace {

constexpr size_t buffer_size = 256 * 1024;
constexpr uint64_t whole_limit = 4 << 20;  // bytes of the result
// What several threads make good use of.
constexpr uint64_t xz_threads_memory = 64ULL << 20;
constexpr uint64_t zstd_threads_memory = 96ULL << 20;  // Nix's frames take 16 MiB, and what they are made of

[[noreturn]] void damaged(std::string_view kind, std::string_view why) {
  fail(ErrorKind::invalid_input, "the file has damaged {} data: {}", kind, why);
}

class None : public Decompressor {
 public:
  explicit None(ByteSink sink) : sink_(std::move(sink)) {}
  void feed(std::string_view piece) override {
    for (; !piece.empty(); piece.remove_prefix(std::min(piece.size(), buffer_size)))
      sink_(piece.substr(0, buffer_size));
  }
  void finish() override {}

 private:
  ByteSink sink_;
};

class Zstd : public Decompressor {
 public:
  Zstd(ByteSink sink, uint64_t memory)
      : sink_(std::move(sink)), context_(ZSTD_createDCtx(), &ZSTD_freeDCtx), memory_(memory) {
    if (!context_) fail(ErrorKind::internal, "out of memory for zstd");
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, std::bit_width(memory) - 1);
  }
  // In one step: the result needs no copy out of the decoder's window.
  void whole(std::string_view file, uint64_t size) override {
    if (size <= whole_limit) {
      if (buffer_.size() < size) buffer_.resize(size);
      const size_t got =
          ZSTD_decompressDCtx(context_.get(), buffer_.data(), buffer_.size(), file.data(), file.size());
      if (ZSTD_isError(got) == 0) return sink_({buffer_.data(), got});
    }
    Decompressor::whole(file, size);  // finds out what is wrong with it
  }
  // The library itself refuses larger windows and starts the next frame after a frame's end.
  void feed(std::string_view piece) override {
    head_.append(piece.substr(0, ZSTD_FRAMEHEADERSIZE_MAX - head_.size()));
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    bool full = false;  // the output was: there may be more without further input
    while (in.pos < in.size || full) {
      ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
      left_ = ZSTD_decompressStream(context_.get(), &out, &in);
      if (ZSTD_getErrorCode(left_) == ZSTD_error_frameParameter_windowTooLarge) window_too_large();
      if (ZSTD_isError(left_) != 0) damaged("zstd", ZSTD_getErrorName(left_));
      full = out.pos == out.size && left_ != 0;  // at a frame's end nothing is held back
      if (out.pos > 0) sink_({buffer_.data(), out.pos});
    }
    if (!piece.empty()) started_ = true;
  }
  void finish() override {
    if (!started_ || left_ != 0) damaged("zstd", "it is cut off");
    ZSTD_DCtx_reset(context_.get(), ZSTD_reset_session_only);
    started_ = false;
    head_.clear();
  }

 private:
  // Returns if no memory would help.
  void window_too_large() const {
    if (memory_ >= decompressor_memory_limit) return;
    ZSTD_frameHeader frame{};
    uint64_t window = 0;
    if (ZSTD_getFrameHeader(&frame, head_.data(), head_.size()) == 0)
      window = std::bit_ceil(std::min<uint64_t>(frame.windowSize, decompressor_memory_limit + 1));
    if (window <= memory_) window = decompressor_memory_limit;  // it is a later frame's
    if (window <= decompressor_memory_limit) throw NeedsMemory{window};
  }

  ByteSink sink_;
  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context_;
  std::string buffer_ = std::string(buffer_size, '\0');
  uint64_t memory_;
  std::string head_;  // the file's first bytes
  size_t left_ = 0;   // 0 at the end of a frame
  bool started_ = false;
};

class Xz : public Decompressor {
 public:
  Xz(ByteSink sink, const DecompressorOptions& options) : sink_(std::move(sink)), options_(options) {}
  Xz(const Xz&) = delete;
  Xz& operator=(const Xz&) = delete;
  ~Xz() override { lzma_end(&stream_); }
  void feed(std::string_view piece) override {
    if (!open_) start();
    stream_.next_in = reinterpret_cast<const uint8_t*>(piece.data());
    stream_.avail_in = piece.size();
    step(LZMA_RUN);
  }
  void finish() override {
    stream_.avail_in = 0;
    if (!open_) start();
    open_ = false;
    if (step(LZMA_FINISH) != LZMA_STREAM_END) damaged("xz", "it is cut off");
  }

 private:
  // The same stream again keeps its memory. The NAR's hash makes the file's own checksum needless: CRC64
  // costs a twentieth of the decoding.
  void start() {
    open_ = true;
    constexpr uint32_t flags = LZMA_CONCATENATED | LZMA_IGNORE_CHECK;
    lzma_mt options{};
    options.flags = flags;
    options.threads = options_.threads;
    options.memlimit_threading = std::min(options_.memory, xz_threads_memory);
    options.memlimit_stop = options_.memory;
    if ((options_.threads > 1 ? lzma_stream_decoder_mt(&stream_, &options)
                              : lzma_stream_decoder(&stream_, options_.memory, flags)) != LZMA_OK)
      fail(ErrorKind::internal, "out of memory for xz");
  }

  lzma_ret step(lzma_action action) {
    for (;;) {
      stream_.next_out = reinterpret_cast<uint8_t*>(buffer_.data());
      stream_.avail_out = buffer_.size();
      const lzma_ret result = lzma_code(&stream_, action);
      const size_t size = buffer_.size() - stream_.avail_out;
      if (size > 0) sink_({buffer_.data(), size});
      if (result == LZMA_STREAM_END || (result == LZMA_BUF_ERROR && size == 0)) return result;
      if (result == LZMA_MEMLIMIT_ERROR) memory_too_small();
      if (result != LZMA_OK && result != LZMA_BUF_ERROR) damaged("xz", "it is damaged");
      if (action == LZMA_RUN && stream_.avail_in == 0 && size < buffer_.size()) return result;
    }
  }

  [[noreturn]] void memory_too_small() {
    uint64_t needed = lzma_memusage(&stream_);
    // With threads it says what it has, not what it needs.
    if (needed <= options_.memory) needed = std::min(2 * options_.memory, decompressor_memory_limit);
    if (options_.memory < decompressor_memory_limit && needed <= decompressor_memory_limit)
      throw NeedsMemory{needed};
    damaged("xz", fmt::format("it needs more than {} MiB of memory", decompressor_memory_limit >> 20));
  }

  ByteSink sink_;
  DecompressorOptions options_;
  bool open_ = false;  // in a file
  lzma_stream stream_ = LZMA_STREAM_INIT;
  std::string buffer_ = std::string(buffer_size, '\0');
};

class Bzip2 : public Decompressor {
 public:
  explicit Bzip2(ByteSink sink) : sink_(std::move(sink)) {}
  Bzip2(const Bzip2&) = delete;
  Bzip2& operator=(const Bzip2&) = delete;
  ~Bzip2() override {
    if (open_) BZ2_bzDecompressEnd(&stream_);
  }
  void feed(std::string_view piece) override {
    stream_.next_in = const_cast<char*>(piece.data());  // the library only reads it
    stream_.avail_in = static_cast<unsigned>(piece.size());
    bool full = false;
    while (stream_.avail_in > 0 || full) {
      if (!open_ && BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK)
        fail(ErrorKind::internal, "out of memory for bzip2");
      open_ = started_ = true;
      stream_.next_out = buffer_.data();
      stream_.avail_out = static_cast<unsigned>(buffer_.size());
      const int result = BZ2_bzDecompress(&stream_);
      if (result != BZ_OK && result != BZ_STREAM_END) damaged("bzip2", "it is damaged");
      full = result == BZ_OK && stream_.avail_out == 0;
      if (const size_t size = buffer_.size() - stream_.avail_out; size > 0) sink_({buffer_.data(), size});
      if (result == BZ_STREAM_END) {
        BZ2_bzDecompressEnd(&stream_);
        open_ = false;
      }
    }
  }
  void finish() override {
    if (!started_ || open_) damaged("bzip2", "it is cut off");
    started_ = false;
  }

 private:
  ByteSink sink_;
  bz_stream stream_{};
  bool open_ = false;  // inside a stream
  bool started_ = false;
  std::string buffer_ = std::string(buffer_size, '\0');
};

class Gzip : public Decompressor {
 public:
  explicit Gzip(ByteSink sink) : sink_(std::move(sink)) {
    if (inflateInit2(&stream_, 16 + MAX_WBITS) != Z_OK) fail(ErrorKind::internal, "out of memory for gzip");
  }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  ~Gzip() override { inflateEnd(&stream_); }
  void feed(std::string_view piece) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    stream_.avail_in = static_cast<unsigned>(piece.size());
    bool full = false;
    while (stream_.avail_in > 0 || full) {
      if (complete_) inflateReset(&stream_);  // the next member
      stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
      stream_.avail_out = static_cast<unsigned>(buffer_.size());
      const int result = inflate(&stream_, Z_NO_FLUSH);
      if (result != Z_OK && result != Z_STREAM_END && !(result == Z_BUF_ERROR && full))
        damaged("gzip", "it is damaged");
      complete_ = result == Z_STREAM_END;
      full = result == Z_OK && stream_.avail_out == 0;
      if (const size_t size = buffer_.size() - stream_.avail_out; size > 0) sink_({buffer_.data(), size});
    }
  }
  void finish() override {
    if (!complete_) damaged("gzip", "it is cut off");
    complete_ = false;
    inflateReset(&stream_);
  }

 private:
  ByteSink sink_;
  z_stream stream_{};
  bool complete_ = false;  // at the end of a member
  std::string buffer_ = std::string(buffer_size, '\0');
};

class Brotli : public Decompressor {
 public:
  Brotli(ByteSink sink, uint64_t memory)
      : sink_(std::move(sink)), state_(nullptr, &BrotliDecoderDestroyInstance), memory_(memory) {}
  void feed(std::string_view piece) override {
    if (piece.empty()) return;
    if (!state_ && window_of(piece.front()) > memory_) throw NeedsMemory{window_of(piece.front())};
    if (!state_) state_.reset(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr));
    if (!state_) fail(ErrorKind::internal, "out of memory for brotli");
    const auto* in = reinterpret_cast<const uint8_t*>(piece.data());
    size_t in_left = piece.size();
    do {
      if (result_ == BROTLI_DECODER_RESULT_SUCCESS) damaged("br", "there are bytes after its end");
      auto* out = reinterpret_cast<uint8_t*>(buffer_.data());
      size_t out_left = buffer_.size();
      result_ = BrotliDecoderDecompressStream(state_.get(), &in_left, &in, &out_left, &out, nullptr);
      if (result_ == BROTLI_DECODER_RESULT_ERROR) damaged("br", "it is damaged");
      if (const size_t size = buffer_.size() - out_left; size > 0) sink_({buffer_.data(), size});
    } while (in_left > 0 || result_ == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);
  }
  void finish() override {
    if (result_ != BROTLI_DECODER_RESULT_SUCCESS) damaged("br", "it is cut off");
    state_.reset();
    result_ = BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT;
  }

 private:
  // In bytes, by a file's first byte (RFC 7932, section 9.1).
  static uint64_t window_of(char first) {
    const auto bits = static_cast<unsigned char>(first);
    const unsigned large = bits >> 1 & 7;
    return (bits & 1) != 0 && large != 0 ? 1ULL << (17 + large) : 1ULL << 17;
  }

  ByteSink sink_;
  std::unique_ptr<BrotliDecoderState, void (*)(BrotliDecoderState*)> state_;
  uint64_t memory_;
  BrotliDecoderResult result_ = BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT;
  std::string buffer_ = std::string(buffer_size, '\0');
};

}  // namespace

uint64_t memory_for_threads(std::string_view compression) {
  return compression == "xz" ? xz_threads_memory : compression == "zstd" ? zstd_threads_memory : 0;
}

std::unique_ptr<Decompressor> make_decompressor(std::string_view compression, ByteSink sink,
                                                const DecompressorOptions& options) {
  if (compression == "none") return std::make_unique<None>(std::move(sink));
  if (compression == "zstd") {
    if (options.threads == 1) return std::make_unique<Zstd>(std::move(sink), options.memory);
    auto sequential = std::make_unique<Zstd>(sink, options.memory);
    return std::make_unique<ZstdFrames>(std::move(sink), options, std::move(sequential));
  }
  if (compression == "xz") return std::make_unique<Xz>(std::move(sink), options);
  if (compression == "bzip2") return std::make_unique<Bzip2>(std::move(sink));
  if (compression == "gzip") return std::make_unique<Gzip>(std::move(sink));
  if (compression == "br") return std::make_unique<Brotli>(std::move(sink), options.memory);
  fail(ErrorKind::invalid_input,
       "compression '{}' is not supported; supported: none, zstd, xz, bzip2, gzip and br", compression);
}

}  // namespace flox::store
