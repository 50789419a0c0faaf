// Names that somebody may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flox {

// Up to `most` of the names that are a few typing errors away from `word` (two, or a third of its letters,
// but not all) or contain it, the closest first. None if `word` is empty or longer than 128 bytes, which
// bounds the work.
std::vector<std::string> nearest_names(std::string_view word, const std::vector<std::string>& names,
                                       size_t most = 3);

}  // namespace flox
