#include "server/transfer/published_paths.h"

#include "env/lockfile.h"
#include "server/records/tables.h"

namespace flox::server {

nix::StorePathSet paths_of_environments(Database& database) {
  constexpr size_t lock = 4;  // the column
  nix::StorePathSet paths;
  database.read([&](Session& session) {
    read_table(session, *find_table("environments"), [&](const TableRow& row) {
      for (const auto& package : env::Lockfile::parse(std::get<std::string>(row[lock])).packages)
        paths.merge(package.store_paths());
    });
  });
  return paths;
}

}  // namespace flox::server
