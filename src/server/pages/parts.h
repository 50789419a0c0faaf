// What several pages are made of.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/router.h"
#include "server/pages/html.h"

namespace flox::server {

// "1,204".
std::string number_text(uint64_t number);
// "1 path", "1,204 paths".
std::string count_text(uint64_t count, std::string_view one, std::string_view many);
// "+1.5 KiB", "−20 B", "±0".
std::string change_text(uint64_t before, uint64_t after);
// The day of a time as RFC 3339 has it, with the whole of it for who points at it.
Html day(const std::string& rfc3339);
// A link to the owner's page.
Html owner_link(const std::string& owner);
// How something stands: `kind` is good, warn or bad.
Html badge(const char* kind, std::string_view text);
// A term and its value, for <dl class="facts">.
Html fact(std::string_view term, const Html& value);
// Lines to copy: a click, or the keyboard's "select all" within it, takes them whole.
Html lines_to_copy(std::string_view label, std::string_view text);
struct Column {
  const char* name;
  const char* kind = "";  // a class of the style sheet: number
};
// A table that a narrow screen can move: `rows` are its <tr>s.
Html table(std::string_view caption, std::initializer_list<Column> columns, const Html& rows);

// A part of a long list.
struct Slice {
  size_t first = 0, end = 0;  // of the list
  size_t page = 1;            // from 1
  bool has_more = false;
};
// That the query's `page` names. Throws Error(invalid_input) for what is no number.
Slice slice_of(const Call& call, size_t count, size_t page_size);
// Links to the pages before and after; nothing if there is one page. `here` is without a page.
Html pager(const Slice& slice, const Address& here);

}  // namespace flox::server
