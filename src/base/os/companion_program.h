// Programs that come with this one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace flox {

// The program's path if it is beside this one, or in ../libexec/flox of that directory. Throws
// std::filesystem::filesystem_error if /proc cannot be read.
std::optional<std::filesystem::path> companion_program(const std::string& name);

}  // namespace flox
