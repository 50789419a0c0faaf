// Where a page of a list begins: the texts of the last element of the page before by which the list is
// ordered, as clients send them back.
#pragma once  // Fuzzed by fuzz/cursor.cc.

#include <string>
#include <string_view>
#include <vector>

namespace flox::server {

using CursorKey = std::vector<std::string>;
std::string to_cursor(const CursorKey& key);
// Throws Error(invalid_input) for what to_cursor() has not made of so many texts.
CursorKey parse_cursor(std::string_view text, size_t texts);

}  // namespace flox::server
