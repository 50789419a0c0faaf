// A look at a YAML text before a parser sees it.
#pragma once

#include <string_view>

#include "kube/reading/yaml_documents.h"

namespace flox::kube {

// What is wrong with the text, and where; no `what`: nothing.
struct YamlFault {
  const char* what = nullptr;
  Place place;
};

// Checks the size, that it is UTF-8 without control characters, and the depth and number of what stands in
// [brackets] and {braces}: yaml-cpp reads such text to its end before it reports anything of it. One pass, no
// stack, no memory. Everything else about depth and number is checked while the parser reports it.
YamlFault check_text(std::string_view text, const YamlLimits& limits);

}  // namespace flox::kube
