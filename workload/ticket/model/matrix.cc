#include "ticket/model/matrix.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace ticket::model {
namespace {

constexpr size_t alignment = 64;
constexpr size_t large = 4 << 20;  // two huge pages

}  // namespace

// Small ones come from malloc, which reuses them; large ones from the kernel, whose pages are zero already.
Buffer::Buffer(size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  if (bytes >= large) {
    data_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data_ == MAP_FAILED) throw std::bad_alloc();
    madvise(data_, bytes, MADV_HUGEPAGE);
    return;
  }
  data_ = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (!data_) throw std::bad_alloc();
  std::memset(data_, 0, bytes);
}

Buffer::~Buffer() {
  if (size_ >= large)
    munmap(data_, size_);
  else
    std::free(data_);
}

}  // namespace ticket::model
