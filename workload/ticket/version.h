// The version that a program was packaged as.
#pragma once

#include <string>

namespace ticket {

// The first line of ../share/PROGRAM/version, seen from the running program's folder (the package's build
// writes it), otherwise the version that was compiled in. Read once.
const std::string& program_version();

}  // namespace ticket
