// Narrowing what a search finds by system, owner and licence.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/database/database.h"

namespace flox::server {

// What must hold of a package's newest build; an empty text: anything. With a system: of its newest one for
// that system.
struct Filter {
  std::string system, owner, license;
};

struct FacetValue {
  std::string value;
  size_t count = 0;  // packages that have it and that the rest of the filter admits
};

struct Facets {
  std::vector<FacetValue> systems, owners,
      licenses;  // the most frequent first; what is chosen is always there
};

// How many packages have each value and are admitted by the rest of the filter: a package has the systems of
// all its builds, and owner and licence of its newest.
struct FacetCounts {
  std::map<std::string, size_t> systems, owners, licenses;
};

// Of the packages that a search for the term (in lower case; `pattern` is its pattern of "like … escape '!'")
// finds; `hidden` ones are as if they were not there. In a transaction, the counts are of one moment.
FacetCounts count_facets(Session& session, std::string_view term, std::string_view pattern,
                         const Filter& filter, const std::set<std::string>& hidden);
// At most `most` values each.
Facets facets_of(const FacetCounts& counts, const Filter& filter, size_t most);

}  // namespace flox::server
