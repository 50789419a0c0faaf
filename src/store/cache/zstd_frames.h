// Decompression of zstd files of several frames, on several threads: what Nix writes since 2.35, in frames of
// 16 MiB, and what we write, in frames of 1.5 MiB. Where a frame ends is read from its blocks' headers (RFC
// 8878, section 3.1.1), so its decoding can wait for a thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "store/cache/decompress.h"

namespace flox::store {

// Gives what comes out in its order, on the thread that feeds. A file with a frame that is too large for the
// memory goes on in `sequential`, from that frame on: so does what is damaged, which it says.
class ZstdFrames : public Decompressor {
 public:
  // `sequential` gives to the same sink. Of `options.threads` one is the caller's.
  ZstdFrames(ByteSink sink, const DecompressorOptions& options, std::unique_ptr<Decompressor> sequential);
  ~ZstdFrames() override;
  ZstdFrames(const ZstdFrames&) = delete;
  ZstdFrames& operator=(const ZstdFrames&) = delete;

  void feed(std::string_view piece) override;
  void finish() override;
  void whole(std::string_view file, uint64_t size) override { sequential_->whole(file, size); }

 private:
  struct Buffer {
    std::unique_ptr<char[]> bytes;
    size_t capacity = 0;
  };
  // A frame that is whole, and what comes of it.
  struct Frame {
    std::string data;
    uint64_t memory = 0;  // bytes that it takes, with its result
    Buffer result;
    size_t size = 0;  // of it, bytes
    bool is_taken = false, is_done = false;
    bool is_too_large = false;  // or damaged
  };
  // Where the frame under way ends, as far as it is known.
  enum class Scan { more, end, other };
  Scan scan();
  void begin_frame();
  std::string take_out();
  void take_in(std::string data);
  void give(bool all);
  void keep(Buffer buffer);
  void run();
  static void decode(Frame& frame);

  const ByteSink sink_;
  const uint64_t memory_;
  const std::unique_ptr<Decompressor> sequential_;
  bool is_sequential_ = false;
  bool started_ = false;

  std::string input_;     // what has come and is not taken in
  size_t begin_ = 0;      // where the frame under way begins in it
  size_t scanned_ = 0;    // so much of the frame has been looked at
  uint64_t content_ = 0;  // its result's size, bytes; 0: it does not say
  bool has_header_ = false, has_last_ = false, has_checksum_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Frame>> frames_;  // in their order
  uint64_t in_flight_ = 0;                     // bytes, of these
  uint64_t spare_bytes_ = 0;
  std::vector<Buffer> spare_;  // a new one costs the kernel's zeros
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace flox::store
