// Which answers a client says that it has. The input's first line is a tag, the rest its list.
#include "fuzz.h"
#include "server/api/conditional.h"

namespace flox::fuzz::of_entity_tags {

void one(std::string_view input) {
  const std::string tag(take_until(input, '\n'));
  const bool weakly = server::has_tag_weakly(input, tag);
  require(weakly || !tag.ends_with('"') || tag.find('.') != std::string::npos ||
              input.find('.') != std::string_view::npos || !server::has_state_strongly(input, tag),
          "what is equal strongly is equal weakly");
  require(!weakly || input.find(tag.substr(tag.starts_with("W/") ? 2 : 0)) != std::string_view::npos ||
              input.find('*') != std::string_view::npos,
          "a list has what stands in it");
  require(server::has_state_strongly("\"a\"", "\"a\""), "a tag is itself");
}

}  // namespace flox::fuzz::of_entity_tags
