#include "ticket/model/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/os/fd.h"

namespace ticket::model {

MappedFile::MappedFile(const std::filesystem::path& path) {
  flox::Fd fd = flox::open_file(path.string(), O_RDONLY);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) flox::fail_errno(errno, "reading {}", path.string());
  if (!S_ISREG(status.st_mode))
    flox::fail(flox::ErrorKind::invalid_input, "{} is not a regular file", path.string());
  size_ = static_cast<size_t>(status.st_size);
  if (size_ == 0) return;
  void* mapped = mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (mapped == MAP_FAILED) flox::fail_errno(errno, "mapping {}", path.string());
  data_ = static_cast<char*>(mapped);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_) munmap(data_, size_);
}

void MappedFile::will_need() const noexcept {
  if (data_) madvise(data_, size_, MADV_WILLNEED);
}

void MappedFile::release(std::string_view part) const noexcept {
  // Whole pages within the part only: its neighbours share the others.
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t begin = (static_cast<size_t>(part.data() - data_) + page - 1) / page * page;
  const size_t end =
      static_cast<size_t>(part.data() - data_ + static_cast<std::ptrdiff_t>(part.size())) / page * page;
  if (begin < end) madvise(data_ + begin, end - begin, MADV_DONTNEED);
}

}  // namespace ticket::model
