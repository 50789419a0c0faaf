// What has come of a NAR, in a file that outlives the process.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/directory.h"
#include "base/os/fd.h"

namespace flox::lazy {

// Thread-safe. One file, because making one takes a file system longer than writing what is in it:
//
//   file = NAR-bytes, with holes where nothing has come; zeros to the next multiple of 4096; bits
//   bits = one per chunk, 8 bytes together, in the machine's order: that chunk is there
//
// A bit is set after the chunk's bytes are written. Both survive the end of the process; neither survives a
// stop of the machine for certain, so files of an earlier boot are not used. The file is made with the first
// byte: most paths of a closure are never read.
class PartFile {
 public:
  // `directory` must outlive it. What a predecessor made under this name is gone on with; a file of another
  // size is one that it did not finish making, or that somebody has cut, and is begun anew.
  PartFile(const Directory& directory, std::string name, uint64_t nar_size, size_t chunks);

  bool has(size_t chunk) const noexcept {
    return (bits_[chunk / 64].load(std::memory_order_acquire) & bit(chunk)) != 0;
  }
  // Writes bytes of chunks that are verified, first to last, which stand at `offset` of the NAR. Throws
  // Error.
  void write(uint64_t offset, std::string_view bytes, size_t first, size_t last);
  // Gives how many were read: fewer if the file was cut, or nothing has come.
  size_t read(uint64_t offset, char* buffer, size_t length) const;
  // Removes the file, and writes no other; the bits stay as they are.
  void remove();

 private:
  static uint64_t bit(size_t chunk) noexcept { return uint64_t{1} << chunk % 64; }
  uint64_t bits_begin() const noexcept { return (nar_size_ + 4095) / 4096 * 4096; }
  uint64_t file_size() const noexcept { return bits_begin() + bits_.size() * sizeof(uint64_t); }
  std::shared_ptr<const Fd> file() const;
  std::shared_ptr<const Fd> file_to_write();

  const Directory& directory_;
  const std::string name_;
  const uint64_t nar_size_;
  std::vector<std::atomic<uint64_t>> bits_;
  std::mutex noting_;  // held while bits are written, so that no earlier state of them is written later
  mutable std::mutex mutex_;
  std::shared_ptr<const Fd> file_;  // null: nothing has come yet, or it is removed
  bool is_removed_ = false;
};

// Reads from this byte of a file on: how many, fewer at its end, and none if it cannot be read.
size_t read_if_possible(const Fd& file, uint64_t offset, char* buffer, size_t length);

}  // namespace flox::lazy
