// A catalog's answer about one package.
#include "base/data/json.h"
#include "catalog/model.h"
#include "fuzz.h"

namespace flox::fuzz::of_package_build {

void one(std::string_view input) {
  nlohmann::json json;
  if (!accepts([&] { json = parse_json(input, "answer"); })) return;
  catalog::PackageBuild build;
  if (!accepts([&] { build = catalog::PackageBuild::from_json(json); })) return;
  require(catalog::PackageBuild::from_json(build.to_json()).to_json() == build.to_json(),
          "a build that was read is written as it was");
}

}  // namespace flox::fuzz::of_package_build
