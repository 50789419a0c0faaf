// The bytes of one store path's files, which come when they are wanted.
#pragma once

#include <cstdint>
#include <functional>

namespace flox::lazy {

// 0, or the errno that a reader of the file gets.
using Done = std::function<void(int error)>;

// Implementations are safe to use by several threads at once.
class Contents {
 public:
  virtual ~Contents() = default;
  // The sparse file with the bytes of the regular file of this number; open for as long as this object lives.
  virtual int file(uint32_t number) const = 0;
  // Makes these bytes of the file present and verified, then calls `done` once: in this call if they are
  // there already, else later on a thread of the implementation's. `done` must not block. What lies behind
  // the file's end is not asked for.
  virtual void want(uint32_t number, uint64_t offset, uint64_t length, Done done) = 0;
};

}  // namespace flox::lazy
