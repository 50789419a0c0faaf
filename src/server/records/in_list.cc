#include "server/records/in_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace flox::server {
namespace {

constexpr size_t most_at_once = 256;

}  // namespace

// Lists have 1, 2, 4, … places, so that there are few statements to prepare; the last text fills those that
// are left over.
void each_in(Session& session, std::string_view sql, const std::vector<std::string>& texts,
             const Session::RowFunction& take) {
  for (size_t first = 0; first < texts.size(); first += most_at_once) {
    const size_t count = std::min(most_at_once, texts.size() - first);
    const size_t places = std::bit_ceil(count);
    std::string statement(sql);
    Values values;
    values.reserve(places);
    for (size_t i = 0; i < places; ++i) {
      statement += fmt::format("{}${}", i == 0 ? " in (" : ", ", i + 1);
      values.emplace_back(std::string_view(texts[first + std::min(i, count - 1)]));
    }
    session.each(statement + ")", values, take);
  }
}

}  // namespace flox::server
