// [vars]: what an activation sets, each with the others that its value names.
#pragma once  // Not fuzzed: expansion_test.cc and references_test.cc; manifests come parsed (env/manifest.h).

#include <functional>
#include <map>
#include <string>

namespace flox::env {

// What a refusal begins with: where the variable stands, as "FILE:LINE:COLUMN", or "[vars] NAME" for who does
// not know that.
using PlaceOfVariable = std::function<std::string(const std::string& name)>;
std::string somewhere(const std::string& name);

// Sets them in `variables`, expanded (env/expansion.h): first those that a value names. Linear in their
// number. Throws Error(invalid_input), with the place: for values that name each other in a circle, for what
// cannot be expanded, for a value of more than 127 KiB and for more than 2 MiB together.
void set_vars(const std::map<std::string, std::string>& vars, std::map<std::string, std::string>& variables,
              const PlaceOfVariable& place_of = somewhere);

// Throws for a circle alone.
void refuse_circles(const std::map<std::string, std::string>& vars, const PlaceOfVariable& place_of);

}  // namespace flox::env
