// What names in manifests and locks can be: messages and file names are made of them.
#pragma once  // Not fuzzed: nothing is read but the name; fuzz/manifest.cc and fuzz/lockfile.cc reach it.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/printable.h"

namespace flox::env {

constexpr size_t most_name_bytes = 255;
// The lower number wins; what a lock may have, Flox's manifests have none below 0.
constexpr int most_priority = 1'000'000;

// Of an install id, a package's path, a version or a system: no control characters, nor what reorders a line.
inline bool can_be_name(std::string_view text) {
  return text.size() <= most_name_bytes && printable(text, most_name_bytes) == text;
}

}  // namespace flox::env
