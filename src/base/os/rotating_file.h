// A file of lines that is only added to, and begun anew when it is full: NAME is the newest, NAME.1 the one
// before, and so on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string_view>

#include "base/os/fd.h"

namespace flox {

// Thread-safe; of one process. A reader that follows NAME sees every line if it opens NAME again when that is
// another file. Who moves NAME away gets no further lines: NAME is made anew.
class RotatingFile {
 public:
  // Opens or makes the file, mode 0600; its directory must be there. A file is full at `max_bytes`, 0: never;
  // `older` ones are kept beside it. Throws Error.
  RotatingFile(std::filesystem::path path, uint64_t max_bytes, unsigned older);

  // Adds the line and a line break in one write; it is with the kernel when this returns. Throws Error; the
  // file has nothing of the line then.
  void add(std::string_view line);

 private:
  void open();
  void rotate();
  bool is_moved() const;

  std::filesystem::path path_;
  uint64_t max_bytes_;
  unsigned older_;
  std::mutex mutex_;
  Fd fd_;
  uint64_t size_ = 0;
};

}  // namespace flox
