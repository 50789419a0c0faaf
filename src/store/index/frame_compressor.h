// Compresses frames on several threads, and gives them back in their order.
#pragma once

#include <zstd.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/data/sha256.h"

namespace flox::store {

// A part of a NAR on its way to become a frame.
struct FrameJob {
  std::string nar;
  // Parts of it to be hashed: where, and how large.
  struct Part {
    uint32_t offset = 0;
    uint32_t size = 0;
  };
  std::vector<Part> parts;

  std::string compressed;  // the frame
  std::vector<Sha256Digest> hashes;

  // Only its buffers stay.
  void clear();
};

// One thread at a time, which is called the owner here.
class FrameCompressor {
 public:
  using Take = std::function<void(FrameJob&)>;
  // `take` gets the finished jobs in their order, on the owner's thread. With `threads` 1 the owner's
  // compresses. Throws Error(invalid_input) for a level that zstd does not have.
  FrameCompressor(int level, unsigned threads, Take take);
  ~FrameCompressor();
  FrameCompressor(const FrameCompressor&) = delete;
  FrameCompressor& operator=(const FrameCompressor&) = delete;

  // An empty job, which may have had another use before.
  std::unique_ptr<FrameJob> make_job();
  // Waits while as many jobs are under way as there may be.
  void push(std::unique_ptr<FrameJob> job);
  // Waits for all.
  void finish();

 private:
  struct Queued {
    std::unique_ptr<FrameJob> job;
    bool done = false;
  };
  using Context = std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)>;

  Context make_context() const;
  static void work(ZSTD_CCtx* context, FrameJob& job);
  void run();
  void take_first();

  const int level_;
  const Take take_;
  Context own_;  // without threads
  std::vector<std::unique_ptr<FrameJob>> spare_;
  std::mutex mutex_;
  std::condition_variable to_do_, is_done_;
  std::deque<std::shared_ptr<Queued>> order_;    // all under way
  std::deque<std::shared_ptr<Queued>> waiting_;  // nobody works on them yet
  bool stop_ = false;
  std::exception_ptr error_;
  std::vector<std::thread> threads_;  // last: they use all of the above
};

}  // namespace flox::store
