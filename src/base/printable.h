// Texts of strangers in messages.
#pragma once

#include <string>
#include <string_view>

namespace flox {

// A name in an archive, a link's target, … as it may stand in a message: control characters and what is no
// UTF-8 become '?', and what is over `limit` bytes is cut off with "…".
std::string printable(std::string_view text, size_t limit = 200);

}  // namespace flox
