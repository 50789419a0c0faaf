// Reads the examples of the pages under docs/formats/, so that tests check what the pages say.
#pragma once

#include <fmt/format.h>

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace flox {

// The block "```example NAME" of docs/formats/PAGE, without its fences. Throws if there is none.
inline std::string format_example(std::string_view page, std::string_view name) {
  const std::string path = fmt::format("{}/docs/formats/{}", FLOX_SOURCE_DIR, page);
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  const std::string all = text.str(), begin = fmt::format("```example {}\n", name);
  const size_t start = all.find(begin);
  const size_t end = start == std::string::npos ? start : all.find("```", start + begin.size());
  if (end == std::string::npos) throw std::runtime_error(path + " has no example " + std::string(name));
  return all.substr(start + begin.size(), end - start - begin.size());
}

}  // namespace flox
