#include "server/api/answers.h"

#include <algorithm>

namespace flox::server {
namespace {

constexpr size_t largest_page = 1000;  // builds in one answer
constexpr size_t most_pages = 1'000'000;

}  // namespace

Page page_in(const Call& call) {
  const size_t page = call.number("page", 1, most_pages);
  const size_t size = call.number("page_size", largest_page, largest_page);
  return {.first = (page - 1) * size, .size = size};
}

ServerResponse page_of(const std::vector<catalog::PackageBuild>& part, size_t total) {
  nlohmann::json items = nlohmann::json::array();
  for (const auto& build : part) items.push_back(build.to_json());
  return as_json({{"items", std::move(items)}, {"total_count", total}});
}

ServerResponse page_of(const std::vector<catalog::PackageBuild>& builds, const Call& call) {
  const auto [first, size] = page_in(call);
  const size_t begin = std::min(first, builds.size());
  const size_t end = begin + std::min(size, builds.size() - begin);
  return page_of(
      {builds.begin() + static_cast<ptrdiff_t>(begin), builds.begin() + static_cast<ptrdiff_t>(end)},
      builds.size());
}

}  // namespace flox::server
