// Wheels as store paths (https://packaging.python.org/en/latest/specifications/binary-distribution-format/).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "package/debian/importer.h"
#include "package/python/metadata.h"
#include "store/local/local_store.h"

namespace flox::package {

struct ImportedWheel {
  PythonMetadata metadata;
  nix::StorePath path;  // with lib/python3.N/site-packages
  std::vector<ConsoleScript> console_scripts;
  std::vector<std::string> scripts;   // places of programs for Python, without its interpreter's line
  std::vector<std::string> programs;  // places of programs for the machine
};

// Unpacks the wheel, whose project and version must be these, and adds it to the store. Throws Error.
ImportedWheel import_wheel(store::LocalStore& store, Importer& importer, const std::filesystem::path& file,
                           const WheelName& name, const PythonTarget& target);

// Where a wheel's modules are in its store path.
std::string site_packages(const PythonTarget& target);

// Where its scripts are.
inline constexpr std::string_view scripts_directory = "share/flox/scripts";

}  // namespace flox::package
