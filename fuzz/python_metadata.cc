// What wheels say of themselves: METADATA, their names, entry points.
#include "base/os/directory.h"
#include "fuzz.h"
#include "package/python/metadata.h"

namespace flox::fuzz::of_python_metadata {

void one(std::string_view input) {
  const std::string text(input);
  accepts([&] {
    const auto metadata = package::PythonMetadata::parse(text);
    require(package::is_project_name(metadata.name), "a name is one");
  });
  accepts([&] {
    for (const auto& script : package::parse_entry_points(text)) {
      require(is_file_name(script.name), "a program is a file");
      for (const std::string& word : {script.module, script.attribute})
        require(word.find_first_of(" \t\n'\"();:/\\") == std::string::npos, "a module is a name of Python");
    }
  });
  if (const auto wheel = package::WheelName::find(text)) {
    require(wheel->project.find('/') == std::string::npos, "a project is no path");
    package::fitness(*wheel,
                     {.minor = 11, .full_version = "3.11.2", .architecture = "x86_64", .glibc_minor = 36});
  }
}

}  // namespace flox::fuzz::of_python_metadata
