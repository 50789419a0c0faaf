// A project's own files, which flox init reads in whatever directory it is run.
#include "env/project_files.h"

#include "base/printable.h"
#include "fuzz.h"

namespace flox::fuzz::of_project_files {

void one(std::string_view input) {
  for (const char* file :
       {"package.json", "pyproject.toml", ".nvmrc", ".node-version", ".python-version", "go.mod"}) {
    const std::string version = env::language_version(file, input);
    require(version.size() <= 100 && printable(version) == version, "a version is a short line");
  }
  require(env::language_version("go.mod", input).empty(), "other files have no versions");
}

}  // namespace flox::fuzz::of_project_files
