// Places that tenants share, of whatever there are few: threads, requests that may wait. A tenant that has as
// many as are free gets no more: the first one half of them at most, the next one half of the rest, so that
// there is one for whoever has none, however much few others ask for.
#pragma once

#include <cstddef>
#include <map>
#include <string>

namespace flox::node {

// One thread at a time.
class FairPlaces {
 public:
  explicit FairPlaces(size_t places) : free_(places) {}

  bool has_one_for(const std::string& tenant) const { return taken(tenant) < free_; }
  // Only if has_one_for(); each is given back once.
  void take(const std::string& tenant);
  void give_back(const std::string& tenant);
  // How many the tenant has.
  size_t taken(const std::string& tenant) const;
  size_t taken() const noexcept { return taken_; }

 private:
  size_t free_;
  size_t taken_ = 0;
  std::map<std::string, size_t> by_tenant_;  // those that have some
};

}  // namespace flox::node
