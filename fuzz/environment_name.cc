// Names of environments: OWNER/NAME:GENERATION.
#include "catalog/environment_name.h"

#include "fuzz.h"

namespace flox::fuzz::of_environment_name {

void one(std::string_view input) {
  catalog::EnvironmentName name;
  if (!accepts([&] { name = catalog::parse_environment_name(input); })) return;
  accepts([&] { catalog::check_environment_name(name.owner, name.name); }, {});
  require(catalog::is_environment_name(input), "it is told from a package's name");
  const catalog::EnvironmentName again = catalog::parse_environment_name(name.to_string());
  require(again.owner == name.owner && again.name == name.name && again.generation == name.generation,
          "a name is written as it was read");
  require(!name.generation || *name.generation >= 0, "a generation is a number");
}

}  // namespace flox::fuzz::of_environment_name
