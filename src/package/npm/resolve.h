// Which packages of npm a package consists of, and which of them each one sees.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "package/npm/packument.h"

namespace flox::package {

struct NpmNode {
  std::string name;
  NpmRelease release;
  std::map<std::string, size_t> sees;  // the name that it requires → the node
};

struct NpmGraph {
  std::vector<NpmNode> nodes;      // the wanted one first
  std::vector<std::string> notes;  // for people, a line each
};

// Asks a registry. Throws Error(not_found) if there is no such package. The answers must stay where they are.
using NpmRegistry = std::function<const Packument&(const std::string& name)>;

// The newest version (or that of the tag "latest") of each that its range admits, one for all whose ranges
// admit it. `spec` is a range or tag; `pins` say the version of a name wherever its range admits it. Optional
// packages that do not run here, and install scripts, are left out and noted. The same answers give the same
// graph. Throws Error: not_found, invalid_input, conflict (a package that does not run here, a version that
// is not there).
NpmGraph resolve_npm(const NpmRegistry& registry, const std::string& name, const std::string& spec,
                     const std::map<std::string, std::string>& pins, std::string_view cpu);

// The nodes in groups, each after those that it sees: those that see each other in a circle are one group.
std::vector<std::vector<size_t>> groups_of(const NpmGraph& graph);

}  // namespace flox::package
