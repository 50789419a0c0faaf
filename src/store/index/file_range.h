// A part of a file of a store path, and lists of them in JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace flox::store {

struct FileRange {
  std::string file;             // "bin/x"; empty: the path is the file
  uint64_t begin = 0, end = 0;  // bytes
  bool operator==(const FileRange&) const = default;
};

// [[FILE, BEGIN, END]…]. What is not UTF-8 in a name becomes something else when it is written.
nlohmann::json ranges_to_json(const std::vector<FileRange>& ranges);
// Throws Error(invalid_input), with `name` for where it stands, for anything else and for over `most`.
std::vector<FileRange> ranges_of_json(const nlohmann::json& list, size_t most, std::string_view name);

}  // namespace flox::store
