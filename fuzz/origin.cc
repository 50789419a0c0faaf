// origin.json, which comes with somebody's repository.
#include "env/origin.h"

#include "fuzz.h"

namespace flox::fuzz::of_origin {

void one(std::string_view input) {
  env::Origin origin;
  if (!accepts([&] { origin = env::Origin::parse(input); })) return;
  require(env::Origin::parse(origin.to_string()) == origin, "an origin is written as it was read");
  require(origin.here.number > 0 && origin.latest.number > 0 && origin.previous >= 0,
          "generations are numbers");
  require(!origin.owner.empty() && origin.owner.size() <= 64 && origin.name.size() <= 64, "names are short");
}

}  // namespace flox::fuzz::of_origin
