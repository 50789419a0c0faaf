// What a Python distribution requires of others (PEP 508, as
// https://packaging.python.org/en/latest/specifications/dependency-specifiers/ has it).
#pragma once  // Fuzzed by fuzz/python_requirement.cc.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "package/python/version.h"

namespace flox::package {

// The variables of markers: "python_version" → "3.11", all of them but "extra".
using MarkerEnvironment = std::map<std::string, std::string, std::less<>>;

// "Foo_bar.baz" → "foo-bar-baz" (PEP 503).
std::string normalized_project(std::string_view name);
// Letters, digits and "-_." between them, at most 128.
bool is_project_name(std::string_view name) noexcept;

struct PythonRequirement {
  std::string name;  // normalised
  std::set<std::string> extras;
  PythonSpecifiers versions;
  std::string url;     // of "name @ URL"; empty: from the index
  std::string marker;  // as written; empty: always

  // At most 8 KiB. Throws Error(invalid_input), also for a marker that cannot be read.
  static PythonRequirement parse(std::string_view text);
  // Whether it is meant in this environment, with one of the extras, or with none.
  bool applies(const MarkerEnvironment& environment, const std::set<std::string>& extras) const;
};

}  // namespace flox::package
