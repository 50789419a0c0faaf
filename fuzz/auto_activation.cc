// What a shell's prompt hands back to flox.
#include "activation/auto_activation.h"

#include "fuzz.h"

namespace flox::fuzz::of_auto_activation {

void one(std::string_view input) {
  std::set<std::string> told;
  if (accepts([&] { told = activation::parse_told(input); }))
    require(activation::parse_told(activation::to_text(told)) == told, "it reads as it was written");
}

}  // namespace flox::fuzz::of_auto_activation
