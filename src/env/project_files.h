// What a project's own files say that it needs: for flox init --auto-setup.
#pragma once  // Fuzzed by fuzz/project_files.cc.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace flox::env {

struct SuggestedPackage {
  std::vector<std::string> names;  // packages any of which will do; the first one that there is
  std::string version;             // constraint, as the file has it, not checked; empty: any
  std::string because;             // the file that says so: "package.json"
};

// What the files directly in `directory` call for, each package once. Reads at most 1 MiB of each of a few
// files by their names, and follows no link; what cannot be read, or holds no version, asks for any version.
// Throws Error if the directory cannot be read.
std::vector<SuggestedPackage> suggested_packages(const std::filesystem::path& directory);

// The version that such a file asks for, of the language that it is of, as a constraint; empty if it asks for
// none, is damaged, or is not a file with versions. `file` is its name: package.json (engines.node of
// https://docs.npmjs.com/cli/configuring-npm/package-json), pyproject.toml (project.requires-python, PEP
// 621), .nvmrc, .node-version and .python-version (one line).
std::string language_version(std::string_view file, std::string_view text);

}  // namespace flox::env
