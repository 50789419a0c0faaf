// The bytes of one store path's files, which come when they are wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace flox::lazy {

// 0, or the errno that a reader of the file gets.
using Done = std::function<void(int error)>;

// Implementations are safe to use by several threads at once.
class Contents {
 public:
  virtual ~Contents() = default;
  // Makes these bytes of the regular file of this number present and verified, then calls `done` once: in
  // this call if they are there already, else later on a thread of the implementation's. `done` must not
  // block. Nothing behind the file's end is wanted.
  virtual void want(uint32_t file, uint64_t offset, uint64_t length, Done done) = 0;
  // Reads bytes that were wanted and came. Gives how many; fewer than `length` if the file on the disk was
  // damaged. Throws Error if it cannot be read.
  virtual size_t read(uint32_t file, uint64_t offset, char* buffer, size_t length) const = 0;
};

}  // namespace flox::lazy
