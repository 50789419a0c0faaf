#include "server/files/object_store.h"

#include "base/os/file.h"

namespace flox::server {

Directory open_or_make(const std::filesystem::path& path) {
  fs::create_directories(path);
  return Directory(path);
}

std::vector<std::optional<ObjectStatus>> ObjectStore::statuses(const std::vector<std::string>& names) const {
  std::vector<std::optional<ObjectStatus>> result;
  result.reserve(names.size());
  for (const auto& name : names) result.push_back(status(name));
  return result;
}

std::vector<std::optional<SmallObject>> ObjectStore::read_all(const std::vector<std::string>& names,
                                                              size_t most) const {
  std::vector<std::optional<SmallObject>> result;
  result.reserve(names.size());
  for (const auto& name : names) result.push_back(read(name, most));
  return result;
}

}  // namespace flox::server
