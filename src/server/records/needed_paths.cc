#include "server/records/needed_paths.h"

#include <string>
#include <tuple>

#include "nix/store_path.h"
#include "server/records/build_rows.h"

namespace flox::server {
namespace {

constexpr int64_t generations_at_once = 50;  // a lock may have a megabyte

}  // namespace

void for_each_store_path(std::string_view text, const std::function<void(std::string_view digest)>& take) {
  for (size_t at = text.find(nix::store_dir); at != std::string_view::npos;
       at = text.find(nix::store_dir, at + 1)) {
    std::string_view rest = text.substr(at + nix::store_dir.size());
    if (!rest.starts_with('/')) continue;
    rest = rest.substr(1, nix::digest_length);
    if (nix::is_digest(rest)) take(rest);
  }
}

std::set<std::string> paths_needed_by(std::initializer_list<std::string_view> texts) {
  std::set<std::string> digests;
  for (const std::string_view text : texts)
    for_each_store_path(text, [&](std::string_view digest) { digests.emplace(digest); });
  return digests;
}

void for_each_needed_path(Database& database, const std::function<void(std::string_view digest)>& take) {
  for_each_page_of_builds(database, [&](const std::vector<BuildRow>& rows) {
    for (const BuildRow& row : rows)
      for (const auto& digest : paths_needed_by({row.record})) take(digest);
  });
  std::string owner, name;
  int64_t number = 0;
  for (;;) {
    const auto generations = database.rows<std::string, std::string, int64_t, std::string, std::string>(
        "select owner, name, number, manifest, lock from environments where (owner, name, number) > "
        "($1, $2, $3) order by owner, name, number limit $4",
        {owner, name, number, generations_at_once});
    for (const auto& generation : generations)
      for (const auto& digest : paths_needed_by({std::get<3>(generation), std::get<4>(generation)}))
        take(digest);
    if (generations.size() < static_cast<size_t>(generations_at_once)) break;
    std::tie(owner, name, number, std::ignore, std::ignore) = generations.back();
  }
}

}  // namespace flox::server
