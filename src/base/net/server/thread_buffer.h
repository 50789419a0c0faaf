// Buffers that all connections of a thread share, whose bytes are valid during one callback only.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace flox {

// The calling thread's buffer of this user, made at the thread's first call and there until its end. As a
// thread_local array it would cost every thread of the program its size: the C library writes zeros over it
// when a thread starts.
template <typename User, size_t size>
std::span<char, size> thread_buffer() {
  static thread_local const auto bytes = std::make_unique_for_overwrite<char[]>(size);
  return std::span<char, size>(bytes.get(), size);
}

}  // namespace flox
