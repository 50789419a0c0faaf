// Environments that are removed: .flox is called otherwise first, so that one half of an environment is never
// seen.
#pragma once

#include <filesystem>

namespace flox::env {

constexpr const char* removed_directory = ".flox-deleted";  // what .flox is called while it is removed

// Removes what a removal that was stopped has left in `dir`, and gives whether there was something. Throws
// Error.
bool finish_removal(const std::filesystem::path& dir);

}  // namespace flox::env
