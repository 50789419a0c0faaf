#include "server/pages/parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/settings/units.h"

namespace flox::server {

std::string number_text(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t place = digits.size(); place > 3; place -= 3) digits.insert(place - 3, ",");
  return digits;
}

std::string count_text(uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", number_text(count), count == 1 ? one : many);
}

std::string change_text(uint64_t before, uint64_t after) {
  if (after == before) return "±0";
  return after > before ? "+" + size_text(after - before) : "−" + size_text(before - after);
}

Html day(const std::string& rfc3339) {
  return el("time", {{"datetime", rfc3339}, {"title", rfc3339}}, std::string_view(rfc3339).substr(0, 10));
}

Html owner_link(const std::string& owner) {
  return el("a", {Attribute::href(Address({"owners", owner}))}, owner);
}

Html badge(const char* kind, std::string_view text) {
  return el("span", {{"class", std::string("badge ") + kind}}, text);
}

Html fact(std::string_view term, const Html& value) {
  return el("div", {}, el("dt", {}, term), el("dd", {}, value));
}

Html lines_to_copy(std::string_view label, std::string_view text) {
  // A command is seen whole; what has lines of its own keeps them.
  const bool is_one_line = text.find('\n') == std::string_view::npos;
  return el("pre",
            {{"class", is_one_line ? "pick wrap" : "pick"},
             {"tabindex", "0"},
             {"role", "region"},
             {"aria-label", label}},
            el("code", {}, text));
}

Html table(std::string_view caption, std::initializer_list<Column> columns, const Html& rows) {
  Html head;
  for (const auto& [name, kind] : columns)
    head +=
        *kind == 0 ? el("th", {{"scope", "col"}}, name) : el("th", {{"scope", "col"}, {"class", kind}}, name);
  return el("div", {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", caption}},
            el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, head)),
               el("tbody", {}, rows)));
}

Slice slice_of(const Call& call, size_t count, size_t page_size) {
  constexpr size_t most_pages = 1'000'000;
  Slice slice{.page = call.number("page", 1, most_pages)};
  slice.first = std::min(count, (slice.page - 1) * page_size);
  slice.end = std::min(count, slice.first + page_size);
  slice.has_more = slice.end < count;
  return slice;
}

Html pager(const Slice& slice, const Address& here) {
  if (slice.page == 1 && !slice.has_more) return {};
  const auto link = [&](const char* text, const char* rel, size_t page) {
    const Address address = page == 1 ? here : here.with("page", std::to_string(page));
    return el("a", {{"rel", rel}, Attribute::href(address)}, text);
  };
  return el("nav", {{"class", "pager"}, {"aria-label", "Pages of the list"}},
            slice.page > 1 ? link("← Before", "prev", slice.page - 1) : el("span", {}),
            el("span", {{"class", "soft"}}, fmt::format("Page {}", slice.page)),
            slice.has_more ? link("After →", "next", slice.page + 1) : el("span", {}));
}

}  // namespace flox::server
