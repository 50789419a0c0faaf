// Requirements of Python distributions, their markers, versions and conditions.
#include "fuzz.h"
#include "package/python/requirement.h"

namespace flox::fuzz::of_python_requirement {

void one(std::string_view input) {
  const std::string text(input);
  if (const auto version = package::PythonVersion::find(text)) {
    const auto again = package::PythonVersion::find(version->to_string());
    require(again && *again == *version, "the normal form is the same version");
    require(!(*version < *again) && !(*version > *again), "a version is equal to itself");
  }
  accepts([&] {
    const auto requirement = package::PythonRequirement::parse(text);
    require(package::is_project_name(requirement.name), "a name is one");
    require(requirement.name == package::normalized_project(requirement.name),
            "a name is in its normal form");
    require(requirement.name.find('/') == std::string::npos, "a name is no path");
    requirement.versions.admits(package::PythonVersion::parse("1.0"));
    requirement.applies({{"python_version", "3.11"},
                         {"python_full_version", "3.11.2"},
                         {"os_name", "posix"},
                         {"sys_platform", "linux"},
                         {"platform_release", ""},
                         {"platform_system", "Linux"},
                         {"platform_version", ""},
                         {"platform_machine", "x86_64"},
                         {"platform_python_implementation", "CPython"},
                         {"implementation_name", "cpython"},
                         {"implementation_version", "3.11.2"}},
                        {"extra"});
  });
}

}  // namespace flox::fuzz::of_python_requirement
