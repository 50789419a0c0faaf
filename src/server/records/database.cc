#include "server/records/database.h"

namespace flox::server {

sqlite::Connection open_database(const std::filesystem::path& file) {
  return {file, {.name = "the catalog's database", .pragmas = "pragma synchronous = full"}};
}

}  // namespace flox::server
