// What a wheel says of itself: its file's name, METADATA and entry_points.txt
// (https://packaging.python.org/en/latest/specifications/, binary distribution format, core metadata, entry
// points).
#pragma once  // Fuzzed by fuzz/python_metadata.cc.

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "package/python/requirement.h"

namespace flox::package {

// The most bytes that a METADATA file may have.
inline constexpr size_t max_python_metadata = 4 << 20;

struct PythonMetadata {
  std::string name;  // as written
  PythonVersion version;
  std::string summary, license;  // the licence as an SPDX expression, or empty
  PythonSpecifiers python;       // Requires-Python
  std::vector<PythonRequirement> requirements;

  static PythonMetadata parse(std::string_view text);  // throws Error(invalid_input)
};

// "numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl".
struct WheelName {
  std::string project;  // normalised
  PythonVersion version;
  std::string build;  // "1", or empty
  std::vector<std::string> python, abi, platform;

  // Nothing for what is not the name of a wheel, such as a source archive's.
  static std::optional<WheelName> find(std::string_view file_name);
};

// The interpreter that wheels are for.
struct PythonTarget {
  unsigned minor = 0;        // 11 of Python 3.11
  std::string full_version;  // "3.11.2"
  std::string architecture;  // "x86_64", "aarch64"
  unsigned glibc_minor = 0;  // 36 of glibc 2.36
  MarkerEnvironment markers() const;
  std::string python_directory() const;  // "python3.11"
};
// How well a wheel fits: more is better; nothing if it does not run there.
std::optional<int> fitness(const WheelName& wheel, const PythonTarget& target);

// A program that an installer makes: "flask = flask.cli:main".
struct ConsoleScript {
  std::string name;       // a file's
  std::string module;     // "flask.cli"
  std::string attribute;  // "main", "cli.main"
};
// Those of [console_scripts] and [gui_scripts]. Throws Error(invalid_input) for one that could be something
// else than names.
std::vector<ConsoleScript> parse_entry_points(std::string_view text);

}  // namespace flox::package
