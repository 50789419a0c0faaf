#include "lazy/chunk_set.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace flox::lazy {

ChunkSet::ChunkSet(const Fd& file, size_t chunks) : bytes_((chunks / 64 + 1) * sizeof(Word)) {
  struct stat status;
  if (fstat(file.get(), &status) != 0) fail_errno(errno, "reading the size of a set of chunks");
  if (static_cast<size_t>(status.st_size) < bytes_) {
    // New, or of a process that ended before it was allocated, and so before a bit was set. Allocated, not
    // sparse: a full disk is an error here and not a signal later.
    if (ftruncate(file.get(), 0) != 0) fail_errno(errno, "emptying a set of chunks");
    if (const int error = posix_fallocate(file.get(), 0, static_cast<off_t>(bytes_)); error != 0)
      fail_errno(error, "making a set of {} chunks", chunks);
  } else if (static_cast<size_t>(status.st_size) > bytes_) {
    fail(ErrorKind::invalid_input, "the set of {} chunks has {} bytes instead of {}", chunks, status.st_size,
         bytes_);
  }
  void* mapped = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (mapped == MAP_FAILED) fail_errno(errno, "mapping a set of chunks");
  words_ = static_cast<Word*>(mapped);
}

ChunkSet::~ChunkSet() { munmap(words_, bytes_); }

}  // namespace flox::lazy
