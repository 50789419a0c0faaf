// Directories with names of their own that stay.
#pragma once

#include <filesystem>
#include <string_view>

namespace flox {

// A new empty directory of mode 0700 below `parent` (default $TMPDIR or /tmp), named PREFIX followed by six
// random characters. It stays, whatever ends this process: the caller, or who is told its name, removes it.
// TempDir (base/os/file.h) is for those that are to go. Throws Error.
std::filesystem::path make_kept_directory(std::string_view prefix, const std::filesystem::path& parent = {});

}  // namespace flox
