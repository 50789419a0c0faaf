#include "store/cache/zstd_frames.h"

#define ZSTD_STATIC_LINKING_ONLY  // ZSTD_getFrameHeader
#include <zstd.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace flox::store {
namespace {

constexpr size_t block_header = 3, checksum = 4;
constexpr uint64_t of_a_frame = 64 << 10;  // bytes: a file may have millions of empty ones
constexpr size_t piece_size = 256 * 1024;
// Of a frame whose header does not say what comes out; Nix's have 16 MiB.
constexpr uint64_t most_unsaid = 16ULL << 20;

}  // namespace

ZstdFrames::ZstdFrames(ByteSink sink, const DecompressorOptions& options,
                       std::unique_ptr<Decompressor> sequential)
    : sink_(std::move(sink)), memory_(options.memory), sequential_(std::move(sequential)) {
  for (unsigned i = 1; i < options.threads; ++i) threads_.emplace_back([this] { run(); });
}

ZstdFrames::~ZstdFrames() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ZstdFrames::begin_frame() {
  scanned_ = 0;
  content_ = 0;
  has_header_ = has_last_ = has_checksum_ = false;
}

// Looks at what has come of the frame. `other`: this is nothing that can be decoded here.
ZstdFrames::Scan ZstdFrames::scan() {
  const std::string_view frame = std::string_view(input_).substr(begin_);
  if (!has_header_) {
    ZSTD_frameHeader header{};
    const size_t missing = ZSTD_getFrameHeader(&header, frame.data(), frame.size());
    if (ZSTD_isError(missing) != 0) return Scan::other;
    if (missing != 0) return Scan::more;
    const bool is_said = header.frameContentSize != ZSTD_CONTENTSIZE_UNKNOWN;
    if (header.frameType != ZSTD_frame || (is_said && header.frameContentSize > memory_ / 2))
      return Scan::other;
    content_ = is_said ? header.frameContentSize : 0;
    scanned_ = header.headerSize;
    has_checksum_ = header.checksumFlag != 0;
    has_header_ = true;
  }
  while (!has_last_) {
    if (frame.size() < scanned_ + block_header) return Scan::more;
    const auto byte = [&](size_t i) {
      return static_cast<uint32_t>(static_cast<uint8_t>(frame[scanned_ + i]));
    };
    const uint32_t header = byte(0) | byte(1) << 8 | byte(2) << 16;
    has_last_ = (header & 1) != 0;
    const uint32_t type = header >> 1 & 3;
    if (type == 3) return Scan::other;
    scanned_ += block_header + (type == 1 ? 1 : header >> 3);
    if (has_last_ && has_checksum_) scanned_ += checksum;
  }
  return frame.size() < scanned_ ? Scan::more : Scan::end;
}

void ZstdFrames::feed(std::string_view piece) {
  if (piece.empty()) return;
  started_ = true;
  if (is_sequential_) return sequential_->feed(piece);
  input_ += piece;
  while (!input_.empty()) {
    const Scan found = scan();
    if (found == Scan::other || (found == Scan::more && input_.size() - begin_ > memory_ / 4)) {
      give(true);
      is_sequential_ = true;
    } else if (found == Scan::more) {
      input_.erase(0, begin_);
      begin_ = 0;
      return;
    } else {
      take_in(take_out());
      begin_frame();
    }
    if (is_sequential_) {
      sequential_->feed(std::string_view(input_).substr(begin_));
      begin_ = input_.size();
      begin_frame();
    }
    if (begin_ == input_.size()) {
      input_.clear();
      begin_ = 0;
    }
  }
}

// The frame under way, which is whole. A large one is not copied; neither is, again and again, what follows a
// small one: a file may have thousands in a piece.
std::string ZstdFrames::take_out() {
  if (scanned_ < input_.size() / 2 || begin_ != 0) {
    std::string frame = input_.substr(begin_, scanned_);
    begin_ += scanned_;
    return frame;
  }
  std::string rest = input_.substr(scanned_);
  input_.resize(scanned_);
  return std::exchange(input_, std::move(rest));
}

void ZstdFrames::take_in(std::string data) {
  auto frame = std::make_shared<Frame>();
  frame->memory = data.size() + of_a_frame + (content_ != 0 ? content_ : most_unsaid);
  frame->data = std::move(data);
  std::unique_lock lock(mutex_);
  while (!frames_.empty() && in_flight_ + frame->memory > memory_) {
    lock.unlock();
    give(false);
    if (is_sequential_) return sequential_->feed(frame->data);
    lock.lock();
  }
  in_flight_ += frame->memory;
  frames_.push_back(std::move(frame));
  changed_.notify_all();
}

// Waits for the first frame, or for all, and gives what comes of it. What cannot be decoded here is fed to
// the other decoder, and all that follows it.
void ZstdFrames::give(bool all) {
  do {
    std::shared_ptr<Frame> frame;
    {
      std::unique_lock lock(mutex_);
      if (frames_.empty()) return;
      frame = frames_.front();
      changed_.wait(lock, [&] { return frame->is_done; });
      frames_.pop_front();
      in_flight_ -= frame->memory;
    }
    if (frame->is_too_large) {
      is_sequential_ = true;
      all = true;
    }
    if (is_sequential_) {
      sequential_->feed(frame->data);
    } else {
      for (std::string_view left(frame->result.bytes.get(), frame->size); !left.empty();
           left.remove_prefix(std::min(left.size(), piece_size)))
        sink_(left.substr(0, piece_size));
      keep(std::move(frame->result));
    }
  } while (all);
}

void ZstdFrames::keep(Buffer buffer) {
  const std::scoped_lock lock(mutex_);
  if (spare_bytes_ + buffer.capacity > memory_ / 4) return;
  spare_bytes_ += buffer.capacity;
  spare_.push_back(std::move(buffer));
}

void ZstdFrames::finish() {
  give(true);
  if (is_sequential_) {
    started_ = is_sequential_ = false;
    if (!input_.empty()) sequential_->feed(std::exchange(input_, {}));
    begin_frame();
    return sequential_->finish();
  }
  if (!started_ || !input_.empty())
    fail(ErrorKind::invalid_input, "the file has damaged zstd data: it is cut off");
  started_ = false;
}

void ZstdFrames::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    std::shared_ptr<Frame> next;
    changed_.wait(lock, [&] {
      const auto found = std::ranges::find_if(frames_, [](const auto& frame) { return !frame->is_taken; });
      if (found != frames_.end()) next = *found;
      return stop_ || next != nullptr;
    });
    if (stop_) return;
    next->is_taken = true;
    if (!spare_.empty()) {
      next->result = std::move(spare_.back());
      spare_bytes_ -= next->result.capacity;
      spare_.pop_back();
    }
    lock.unlock();
    try {
      decode(*next);
    } catch (const std::exception&) {  // no memory
      next->is_too_large = true;
    }
    lock.lock();
    next->is_done = true;
    changed_.notify_all();
  }
}

void ZstdFrames::decode(Frame& frame) {
  thread_local const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                                &ZSTD_freeDCtx);
  if (context == nullptr) fail(ErrorKind::internal, "out of memory for zstd");
  const unsigned long long said = ZSTD_getFrameContentSize(frame.data.data(), frame.data.size());
  const uint64_t most = said == ZSTD_CONTENTSIZE_UNKNOWN ? most_unsaid : said;
  if (frame.result.capacity < most)
    frame.result = {.bytes = std::make_unique_for_overwrite<char[]>(most), .capacity = most};
  ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_only);
  const size_t got = ZSTD_decompressDCtx(context.get(), frame.result.bytes.get(), most, frame.data.data(),
                                         frame.data.size());
  frame.is_too_large = ZSTD_isError(got) != 0;
  frame.size = frame.is_too_large ? 0 : got;
}

}  // namespace flox::store
