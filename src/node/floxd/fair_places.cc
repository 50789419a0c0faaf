#include "node/floxd/fair_places.h"

namespace flox::node {

size_t FairPlaces::taken(const std::string& tenant) const {
  const auto found = by_tenant_.find(tenant);
  return found == by_tenant_.end() ? 0 : found->second;
}

void FairPlaces::take(const std::string& tenant) {
  ++by_tenant_[tenant];
  ++taken_;
  --free_;
}

void FairPlaces::give_back(const std::string& tenant) {
  const auto own = by_tenant_.find(tenant);
  if (--own->second == 0) by_tenant_.erase(own);
  --taken_;
  ++free_;
}

}  // namespace flox::node
