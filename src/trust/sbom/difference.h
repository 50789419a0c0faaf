// What differs between two bills of materials: by package, by path and by bytes.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "trust/sbom/bill.h"

namespace flox::trust {

struct BillDifference {
  struct Change {
    Component before, after;
  };
  std::vector<Component> added, removed;  // by name
  std::vector<Change> changed;            // another version
  std::vector<Change> rebuilt;            // the same version at another path
  size_t unchanged = 0;                   // paths that both have
  size_t paths_before = 0, paths_after = 0;
  uint64_t bytes_before = 0, bytes_after = 0;  // NAR sizes

  bool empty() const noexcept {
    return added.empty() && removed.empty() && changed.empty() && rebuilt.empty();
  }
  std::string to_string() const;  // lines for people
  nlohmann::json to_json() const;
};

// Paths that are in one bill only are compared by the name of their package, in the order of their versions
// where a name comes several times.
BillDifference difference(const Bill& before, const Bill& after);

}  // namespace flox::trust
