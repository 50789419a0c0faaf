// The rules of imports, and the first lines of scripts.
#include "package/debian/import_rules.h"

#include "fuzz.h"
#include "package/debian/package_tree.h"

namespace flox::fuzz::of_import_rules {

void one(std::string_view input) {
  accepts([&] {
    const auto rules = package::parse_import_rules(input, "rules");
    for (const auto& variable : rules.variables)
      require(!variable.name.empty() && variable.name.find_first_of(" =$'\"\n") == std::string::npos,
              "a variable's name is a word of a shell");
    for (const auto& link : rules.links) require(!link.place.starts_with('/'), "a place is in the tree");
  });
  const std::string place = package::interpreter_place(input);
  require(!place.starts_with('/') && place != ".." && !place.starts_with("../"),
          "an interpreter is a place in the tree");
}

}  // namespace flox::fuzz::of_import_rules
