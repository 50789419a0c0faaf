#include "store/index/file_range.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace flox::store {

using nlohmann::json;

json ranges_to_json(const std::vector<FileRange>& ranges) {
  json list = json::array();
  for (const FileRange& range : ranges) list.push_back({range.file, range.begin, range.end});
  return list;
}

std::vector<FileRange> ranges_of_json(const json& list, size_t most, std::string_view name) {
  if (!list.is_array() || list.size() > most)
    fail(ErrorKind::invalid_input, "{}: no list of at most {} parts of files", name, most);
  std::vector<FileRange> ranges;
  for (const json& one : list) {
    if (!one.is_array() || one.size() != 3 || !one[0].is_string() || !one[1].is_number_unsigned() ||
        !one[2].is_number_unsigned())
      fail(ErrorKind::invalid_input, "{}: a part of a file is no name with two numbers", name);
    ranges.push_back({one[0].get<std::string>(), one[1].get<uint64_t>(), one[2].get<uint64_t>()});
  }
  return ranges;
}

}  // namespace flox::store
