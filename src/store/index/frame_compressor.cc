#include "store/index/frame_compressor.h"

#include "base/error.h"

namespace flox::store {
namespace {

constexpr int usual_frame_level = 3;  // zstd's own, and Nix's

size_t check_zstd(size_t result) {
  if (ZSTD_isError(result) != 0) fail(ErrorKind::internal, "zstd: {}", ZSTD_getErrorName(result));
  return result;
}

}  // namespace

void FrameJob::clear() {
  nar.clear();
  parts.clear();
  compressed.clear();
  hashes.clear();
}

FrameCompressor::FrameCompressor(int level, unsigned threads, Take take)
    : level_(level == 0 ? usual_frame_level : level), take_(std::move(take)), own_(nullptr, &ZSTD_freeCCtx) {
  if (level_ < 1 || level_ > ZSTD_maxCLevel())
    fail(ErrorKind::invalid_input, "zstd has levels from 1 to {}, and {} is given", ZSTD_maxCLevel(), level_);
  if (threads <= 1)
    own_ = make_context();
  else
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

FrameCompressor::~FrameCompressor() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  to_do_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::unique_ptr<FrameJob> FrameCompressor::make_job() {
  if (spare_.empty()) return std::make_unique<FrameJob>();
  auto job = std::move(spare_.back());
  spare_.pop_back();
  return job;
}

void FrameCompressor::push(std::unique_ptr<FrameJob> job) {
  auto queued = std::make_shared<Queued>(Queued{.job = std::move(job)});
  if (threads_.empty()) {
    work(own_.get(), *queued->job);
    queued->done = true;
    order_.push_back(std::move(queued));
    return take_first();
  }
  {
    const std::lock_guard lock(mutex_);
    order_.push_back(queued);
    waiting_.push_back(std::move(queued));
  }
  to_do_.notify_one();
  while (order_.size() > 2 * threads_.size()) take_first();
}

void FrameCompressor::finish() {
  while (!order_.empty()) take_first();
}

void FrameCompressor::take_first() {
  std::shared_ptr<Queued> first;
  {
    std::unique_lock lock(mutex_);
    is_done_.wait(lock, [&] { return error_ || order_.front()->done; });
    if (error_) std::rethrow_exception(error_);
    first = std::move(order_.front());
    order_.pop_front();
  }
  take_(*first->job);
  first->job->clear();
  spare_.push_back(std::move(first->job));
}

void FrameCompressor::run() {
  try {
    const Context context = make_context();
    std::unique_lock lock(mutex_);
    for (;;) {
      to_do_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
      if (stop_) return;
      const std::shared_ptr<Queued> next = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      work(context.get(), *next->job);
      lock.lock();
      next->done = true;
      is_done_.notify_one();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::current_exception();
    is_done_.notify_one();
  }
}

FrameCompressor::Context FrameCompressor::make_context() const {
  Context context(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  if (!context) fail(ErrorKind::internal, "out of memory for zstd");
  check_zstd(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level_));
  check_zstd(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1));
  return context;
}

// In one step, so the frame says how large its contents are.
void FrameCompressor::work(ZSTD_CCtx* context, FrameJob& job) {
  for (const auto& [offset, size] : job.parts)
    job.hashes.push_back(sha256(std::string_view(job.nar).substr(offset, size)));
  job.compressed.resize(ZSTD_compressBound(job.nar.size()));
  job.compressed.resize(check_zstd(
      ZSTD_compress2(context, job.compressed.data(), job.compressed.size(), job.nar.data(), job.nar.size())));
}

}  // namespace flox::store
