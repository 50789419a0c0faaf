#include "lazy/mounted_paths.h"

#include <mutex>

#include "base/error.h"

namespace flox::lazy {

void MountedPaths::add(MountedPath path) {
  const std::unique_lock lock(mutex_);
  if (path.slot == 0 || slots_.contains(path.slot))
    fail(ErrorKind::conflict, "slot {} of the mount is taken", path.slot);
  if (!names_.emplace(path.name, path.slot).second)
    fail(ErrorKind::conflict, "{} is mounted already", path.name);
  const uint32_t slot = path.slot;
  slots_.emplace(slot, std::make_shared<const MountedPath>(std::move(path)));
}

void MountedPaths::remove(uint32_t slot) {
  const std::unique_lock lock(mutex_);
  const auto found = slots_.find(slot);
  if (found == slots_.end()) return;
  names_.erase(found->second->name);
  slots_.erase(found);
}

std::shared_ptr<const MountedPath> MountedPaths::by_slot(uint32_t slot) const {
  const std::shared_lock lock(mutex_);
  const auto found = slots_.find(slot);
  return found == slots_.end() ? nullptr : found->second;
}

std::shared_ptr<const MountedPath> MountedPaths::by_name(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : slots_.at(found->second);
}

std::vector<std::shared_ptr<const MountedPath>> MountedPaths::from(uint32_t slot, size_t most) const {
  const std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<const MountedPath>> result;
  for (auto at = slots_.lower_bound(slot); at != slots_.end() && result.size() < most; ++at)
    result.push_back(at->second);
  return result;
}

}  // namespace flox::lazy
