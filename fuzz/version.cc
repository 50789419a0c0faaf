// Versions and constraints: three versions and a constraint, one a line. Their order must be one.
#include "catalog/model.h"
#include "fuzz.h"

namespace flox::fuzz::of_version {

void one(std::string_view input) {
  const std::string_view a = take_until(input, '\n');
  const std::string_view b = take_until(input, '\n');
  const std::string_view c = take_until(input, '\n');
  using catalog::compare_versions;
  require(compare_versions(a, a) == 0, "a version equals itself");
  require(compare_versions(a, b) == -compare_versions(b, a), "the order is the same from both sides");
  if (compare_versions(a, b) <= 0 && compare_versions(b, c) <= 0)
    require(compare_versions(a, c) <= 0, "the order has no circles");
  catalog::is_pre_release(a);
  bool admitted = false;
  if (accepts([&] { admitted = catalog::satisfies(a, input); }))
    require(catalog::satisfies(a, input) == admitted, "a constraint means one thing");
}

}  // namespace flox::fuzz::of_version
