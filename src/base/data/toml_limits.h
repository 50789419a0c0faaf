// What a TOML text may have before toml++ sees it: it and its documents recurse once a level.
#pragma once

#include <cstddef>
#include <string_view>

namespace flox {

struct TomlLimits {
  size_t bytes = 1 << 20;
  size_t depth = 64;        // levels of tables and arrays, those that dotted keys make too
  size_t values = 100'000;  // keys, elements, tables and arrays in all
};

// Throws Error(invalid_input) "NAME:LINE:COLUMN: …" for a text that breaks a limit. Constant stack, linear
// time.
void check_toml(std::string_view text, std::string_view name, const TomlLimits& limits);

}  // namespace flox
