#include "lazy/part_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"
#include "base/log.h"
#include "base/os/fd.h"
#include "base/os/file.h"

namespace flox::lazy {
namespace {

bool has_size(const Fd& file, uint64_t size) {
  struct stat status {};
  return ::fstat(file.get(), &status) == 0 && static_cast<uint64_t>(status.st_size) == size;
}

}  // namespace

PartFile::PartFile(const Directory& directory, std::string name, uint64_t nar_size, size_t chunks)
    : directory_(directory), name_(std::move(name)), nar_size_(nar_size), bits_((chunks + 63) / 64) {
  if (!directory_.exists(name_)) return;
  auto file = std::make_shared<const Fd>(directory_.open(name_, O_RDWR));
  std::vector<uint64_t> words(bits_.size());
  const size_t size = words.size() * sizeof(uint64_t);
  if (!has_size(*file, file_size()) ||
      read_if_possible(*file, bits_begin(), reinterpret_cast<char*>(words.data()), size) != size) {
    log::warning("{} of {} is begun anew: it has not the size that it should have", name_, directory_.name());
    directory_.remove(name_);
    return;
  }
  for (size_t i = 0; i < words.size(); ++i) bits_[i].store(words[i], std::memory_order_relaxed);
  file_ = std::move(file);
}

std::shared_ptr<const Fd> PartFile::file() const {
  const std::lock_guard lock(mutex_);
  return file_;
}

std::shared_ptr<const Fd> PartFile::file_to_write() {
  const std::lock_guard lock(mutex_);
  if (file_ == nullptr && !is_removed_) {
    auto file = std::make_shared<const Fd>(directory_.open(name_, O_RDWR | O_CREAT | O_EXCL, 0600));
    // Allocated, so that no bit is lost to a full disk; it has its size with the last of them.
    if (const int error = ::posix_fallocate(file->get(), static_cast<off_t>(bits_begin()),
                                            static_cast<off_t>(bits_.size() * sizeof(uint64_t)));
        error != 0) {
      directory_.remove(name_);
      fail_errno(error, "making {} with {} bytes", name_, file_size());
    }
    file_ = std::move(file);
  }
  return file_;
}

void PartFile::write(uint64_t offset, std::string_view bytes, size_t first, size_t last) {
  const auto file = file_to_write();
  if (file == nullptr) return;
  // A hole that somebody has cut into it would be taken for what had come.
  if (!has_size(*file, file_size())) fail(ErrorKind::internal, "{} was changed by somebody else", name_);
  write_all_at(file->get(), bytes, offset);
  for (size_t chunk = first; chunk <= last; ++chunk)
    bits_[chunk / 64].fetch_or(bit(chunk), std::memory_order_release);
  const std::lock_guard lock(noting_);
  for (size_t word = first / 64; word <= last / 64; ++word) {
    const uint64_t value = bits_[word].load(std::memory_order_acquire);
    write_all_at(file->get(), {reinterpret_cast<const char*>(&value), sizeof value},
                 bits_begin() + word * sizeof value);
  }
}

size_t PartFile::read(uint64_t offset, char* buffer, size_t length) const {
  const auto file = this->file();
  return file == nullptr || !has_size(*file, file_size()) ? 0
                                                          : read_if_possible(*file, offset, buffer, length);
}

void PartFile::remove() {
  const std::lock_guard lock(mutex_);
  is_removed_ = true;
  file_.reset();
  directory_.remove(name_);
}

size_t read_if_possible(const Fd& file, uint64_t offset, char* buffer, size_t length) {
  try {
    return read_at(file.get(), buffer, length, offset);
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace flox::lazy
