// Texts in words and characters, counted as Python's str does: the reference's limits are in those.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ticket {

// White space of any script at both ends taken away.
std::string stripped(std::string_view text);
bool is_blank(std::string_view text);
// Pieces between white space.
size_t word_count(std::string_view text);
// The first `count` words joined by single blanks; a text with no more than that is returned as it is.
std::string first_words(std::string_view text, size_t count);
// The first `count` code points; a byte that is not UTF-8 counts as one.
std::string first_characters(std::string_view text, size_t count);

}  // namespace ticket
