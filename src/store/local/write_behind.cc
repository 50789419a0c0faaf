#include "store/local/write_behind.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace flox::store {
namespace {

constexpr uint64_t at_once = 64 << 20;  // bytes: large enough for the disk to work in order

}  // namespace

WriteBehind::WriteBehind(const std::filesystem::path& directory)
    : fd_(open_file(directory.string(), O_RDONLY | O_DIRECTORY)), thread_([this] { run(); }) {}

WriteBehind::~WriteBehind() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void WriteBehind::add(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  written_ += bytes;
  if (written_ >= at_once) changed_.notify_all();
}

void WriteBehind::begin() { add(at_once); }

void WriteBehind::check() {
  const std::lock_guard lock(mutex_);
  if (error_ != 0) fail_errno(error_, "writing the store to the disk");
}

void WriteBehind::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ended_ || written_ >= at_once; });
    if (ended_) return;
    written_ = 0;
    lock.unlock();
    const int error = ::syncfs(fd_.get()) == 0 ? 0 : errno;
    lock.lock();
    if (error != 0) error_ = error;
  }
}

}  // namespace flox::store
