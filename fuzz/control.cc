// Debian's control data, relations and versions.
#include "package/debian/control.h"

#include "fuzz.h"

namespace flox::fuzz::of_control {

void one(std::string_view input) {
  accepts([&] {
    for (const auto& stanza : package::parse_control(input)) {
      require(!stanza.empty(), "a stanza has fields");
      for (const auto& [name, value] : stanza)
        require(!name.empty() && name.find('\n') == std::string::npos, "a field has a name");
    }
  });
  for (const auto& alternatives : package::parse_relations(input)) {
    require(!alternatives.empty(), "a relation has alternatives");
    for (const auto& name : alternatives)
      require(!name.empty() && name.find_first_of(" \t\n,|(") == std::string::npos,
              "a relation names packages");
  }
  for (const auto& [name, version] : package::parse_exact_versions(input))
    require(!name.empty() && !version.empty(), "an exact version is one of a package");
  require(package::store_version(input).find('~') == std::string::npos, "a store path can have the version");
}

}  // namespace flox::fuzz::of_control
