// Narrowing what a search found by system, owner and licence.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "catalog/model.h"

namespace flox::server {

struct Match {
  catalog::PackageBuild build;    // the package's newest
  std::set<std::string> systems;  // that the package has builds for
};

// What must hold of a match; an empty text: anything.
struct Filter {
  std::string system, owner, license;
  bool admits(const Match& match) const;
};

struct FacetValue {
  std::string value;
  size_t count = 0;  // matches that have it and that the rest of the filter admits
};

struct Facets {
  std::vector<FacetValue> systems, owners,
      licenses;  // the most frequent first; what is chosen is always there
};

// At most `most` values each.
Facets facets_of(const std::vector<Match>& matches, const Filter& filter, size_t most);

}  // namespace flox::server
