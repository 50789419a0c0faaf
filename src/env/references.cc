#include "env/references.h"

#include "env/services.h"
#include "env/vars.h"

namespace flox::env {
namespace {

// The first of the names that has a place.
std::string place_of_first(const Manifest& manifest, std::initializer_list<std::string> names) {
  for (const std::string& name : names)
    if (const auto place = manifest.places.find(name); place != manifest.places.end()) return place->second;
  return manifest.place_of("include");
}

PlaceOfVariable places_of_variables(const Manifest& manifest) {
  return [&manifest](const std::string& name) { return place_of_first(manifest, {"vars." + name}); };
}

}  // namespace

void refuse_references(const Manifest& merged) {
  refuse_circles(merged.vars, places_of_variables(merged));
  const auto services = merged.json.find("services");
  if (services == merged.json.end()) return;
  services_from_json(*services, current_system(), [&](const std::string& service, const std::string& other) {
    return place_of_first(merged,
                          {fmt::format("services.{}.depends-on.{}", service, other), "services." + service});
  });
}

void refuse_unusable(const Manifest& merged) {
  refuse_references(merged);
  std::map<std::string, std::string> nowhere;
  set_vars(merged.vars, nowhere, places_of_variables(merged));
}

}  // namespace flox::env
