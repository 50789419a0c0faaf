// Lines and tables on standard output.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/printable.h"

namespace flox {

// A line on the terminal, of which parts may be untrusted text: annotations, messages, what a node answers.
template <typename... Parts>
void say(fmt::format_string<Parts...> format, Parts&&... parts) {
  fmt::print("{}\n", printable_lines(fmt::format(format, std::forward<Parts>(parts)...)));
}

// Rows of equal length, the first one the titles; columns are as wide as their widest cell.
void print_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace flox
