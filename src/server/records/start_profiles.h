// What starts of environments and of packages read first, as nodes have recorded it and publishers have sent
// it: one for each name (docs/formats/start-profile.md).
#pragma once

#include <optional>
#include <string>

#include "catalog/start_profile.h"
#include "server/database/database.h"
#include "server/records/holdings.h"

namespace flox::server {

// Thread-safe. A package is known by its name, an environment by OWNER/NAME.
class StartProfileRecords {
 public:
  // The database (records/database.h) must outlive it.
  explicit StartProfileRecords(Database& database) : database_(database) {}

  // Of several who publish at the same time each one's is in it: this one's first, then what was there
  // (StartProfile::merge_earlier). Gives what is there now. `now`: RFC 3339, UTC.
  catalog::StartProfile merge(Kind kind, const std::string& name, const catalog::StartProfile& profile,
                              const std::string& now);
  // Its text; nothing: none was published.
  std::optional<std::string> find(Kind kind, const std::string& name) const;
  // False if there is none.
  bool remove(Kind kind, const std::string& name);

 private:
  Database& database_;
};

}  // namespace flox::server
