// What the package that a program was installed from says about it: files in ../share/PROGRAM, seen from the
// running program's folder.
#pragma once

#include <string>

namespace ticket {

// The first line of "version" (the package's build writes it), otherwise the version that was compiled in.
// Read once.
const std::string& program_version();

// Sets the environment variables that are not set to what "defaults" says, lines NAME=VALUE: whoever
// publishes the package for a place can say what holds there. Call it before there are threads. Throws
// flox::Error(invalid_input) for a line of another form.
void apply_package_defaults();

}  // namespace ticket
