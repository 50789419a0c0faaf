// How byte-level byte-pair encoding (GPT-2, BART) splits a text into words before it merges, and the
// printable characters that stand for bytes in its vocabulary.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>

namespace ticket::model {

// Calls `word` with each match in `utf8` (valid UTF-8) of
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// in order, until it returns false. The words together are the text. Returns whether all were given.
bool for_each_byte_level_word(std::string_view utf8, const std::function<bool(std::string_view)>& word);

// The character (as UTF-8) that stands for each byte: printable Latin-1 for itself, U+0100 onwards for the
// other 68.
const std::array<std::string, 256>& byte_symbols();

// The bytes of a token spelt in these characters; the token itself if it has any other.
std::string bytes_of_token(std::string_view token);

}  // namespace ticket::model
