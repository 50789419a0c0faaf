// Files that are cut into chunks, for tests.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/data/sha256.h"
#include "store/index/chunk_cutter.h"

namespace flox::store {

// Bytes that look like chance, the same in every run.
inline std::string noise(size_t size, const std::string& seed = "") {
  std::string bytes;
  for (size_t i = 0; bytes.size() < size; ++i) bytes += bytes_of(sha256(seed + std::to_string(i)));
  bytes.resize(size);
  return bytes;
}

// Where the chunks end, when the file comes in pieces of that size.
inline std::vector<size_t> cuts_of(std::string_view file, size_t piece = 1 << 30) {
  ChunkCutter cutter;
  std::vector<size_t> ends;
  size_t at = 0;
  while (at < file.size()) {
    std::string_view rest = file.substr(at, piece);
    while (!rest.empty()) {
      const auto next = cutter.next(rest);
      rest.remove_prefix(next.size);
      at += next.size;
      if (next.ends) ends.push_back(at);
    }
  }
  if (ends.empty() || ends.back() != at) ends.push_back(at);
  return ends;
}

}  // namespace flox::store
