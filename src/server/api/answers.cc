#include "server/api/answers.h"

namespace flox::server {
namespace {

constexpr size_t largest_page = 1000;  // builds in one answer
constexpr size_t most_pages = 1'000'000;

}  // namespace

ServerResponse page_of(const std::vector<catalog::PackageBuild>& builds, const Call& call) {
  const size_t page = call.number("page", 1, most_pages);
  const size_t page_size = call.number("page_size", largest_page, largest_page);
  nlohmann::json items = nlohmann::json::array();
  for (size_t i = (page - 1) * page_size; i < builds.size() && items.size() < page_size; ++i)
    items.push_back(builds[i].to_json());
  return as_json({{"items", std::move(items)}, {"total_count", builds.size()}});
}

}  // namespace flox::server
