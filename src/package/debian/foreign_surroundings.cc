#include "package/debian/foreign_surroundings.h"

#include <fmt/format.h>

namespace flox::package {

std::optional<Provider> ForeignSurroundings::library(const std::string& soname,
                                                     const std::vector<std::string>&) {
  const auto& libraries = ImportRules::built_in().libraries;
  const auto found = libraries.find(soname);
  if (found == libraries.end() || !importer_.debian().exists(found->second)) return std::nullopt;
  return importer_.library_of(found->second, soname);
}

void ForeignSurroundings::missing(const std::string& soname, const std::string& needed_by) {
  importer_.debian().step(
      fmt::format("note: {}: {} needs {}, which nothing that is known has", name_, needed_by, soname));
}

}  // namespace flox::package
