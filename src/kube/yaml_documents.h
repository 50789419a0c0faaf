// The documents of a YAML text, by yaml-cpp with its one trap closed.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

namespace flox::kube {

// Throws YAML::Exception with the place. yaml-cpp 0.7's own LoadAll never ends, and takes all memory, with a
// text like
// "- a\n, b": its parser reports empty documents for ever at a token that begins none.
std::vector<YAML::Node> load_documents(const std::string& text);

}  // namespace flox::kube
