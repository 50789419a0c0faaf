// The record of active environments that a process inherits.
#include "activation/undo.h"

#include "fuzz.h"

namespace flox::fuzz::of_undo {

void one(std::string_view input) {
  std::vector<activation::Undo> layers;
  if (!accepts([&] { layers = activation::parse_undo(input); })) return;
  require(activation::parse_undo(activation::to_text(layers)) == layers, "a record reads as it was written");
  for (const activation::Undo& undo : layers) {
    const std::string script = activation::undo_script(activation::Shell::bash, undo, {{"PATH", "/a::/b"}});
    require(script.empty() || script.ends_with(";\n"), "every statement has its end");
  }
}

}  // namespace flox::fuzz::of_undo
