// Where a page of a list begins, as a client says. The input's first byte is how many texts that list's
// cursors have.
#include "server/api/cursor.h"

#include "fuzz.h"

namespace flox::fuzz::of_cursor {

void one(std::string_view input) {
  if (input.empty()) return;
  const size_t texts = 1 + take_byte(input) % 4;
  server::CursorKey key;
  if (!accepts([&] { key = server::parse_cursor(input, texts); })) return;
  require(key.size() == texts, "a cursor has its list's texts");
  require(server::to_cursor(key) == input, "a cursor has one text");
}

}  // namespace flox::fuzz::of_cursor
