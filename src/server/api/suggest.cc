#include "server/api/suggest.h"

#include <fmt/ranges.h>

#include "base/nearest.h"

namespace flox::server {

std::string advice_for_unknown(std::string_view name, const std::vector<std::string>& known_names) {
  const std::vector<std::string> names = nearest_names(name, known_names);
  return names.empty() ? "Run 'flox search TERM' to see what there is."
                       : fmt::format("Did you mean {}?", fmt::join(names, ", "));
}

}  // namespace flox::server
