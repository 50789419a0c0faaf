#include "store/local/closure_cache.h"

namespace flox::store {

std::optional<nix::StorePathSet> ClosureCache::find(const nix::StorePathSet& roots, DatabaseVersion now) {
  const std::lock_guard lock(mutex_);
  if (now != version_) return std::nullopt;
  const auto found = closures_.find(roots);
  if (found == closures_.end()) return std::nullopt;
  return found->second;
}

void ClosureCache::remember(const nix::StorePathSet& roots, const nix::StorePathSet& closure,
                            DatabaseVersion then) {
  const std::lock_guard lock(mutex_);
  if (then != version_ || closures_.size() >= most) closures_.clear();
  version_ = then;
  closures_.insert_or_assign(roots, closure);
}

}  // namespace flox::store
