// Values of [vars]: variables in them, as bash expands them inside double quotes.
#pragma once  // Not fuzzed: expansion_test.cc compares it with bash on thousands of values.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace flox::env {

// $NAME, ${NAME}, ${NAME:-WORD}, ${NAME-WORD}, ${NAME:+WORD}, ${NAME+WORD}, the words with variables of their
// own, and backslashes in front of $, `, ", \ and line ends. Throws Error(invalid_input) for what bash would
// run (commands), for its other forms of ${…}, for what has no end, for words nested more than 64 deep, and
// for a result of more than `limit` bytes.
std::string expand(std::string_view value, const std::map<std::string, std::string>& variables, size_t limit);

// The variables that the value names, sorted. Throws as above.
std::vector<std::string> names_in(std::string_view value);

}  // namespace flox::env
