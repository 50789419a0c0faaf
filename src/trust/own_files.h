// Files that decide whom this machine trusts: nobody but this user and root may have been able to write them.
#pragma once  // Not fuzzed: this reads files, and looks at nothing in them.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/os/directory.h"

namespace flox::trust {

// The directory; nothing if there is none. Throws Error(untrusted), with the chmod or chown that corrects it,
// if it belongs to somebody else or if group or others may write to it.
std::optional<Directory> own_directory(const std::filesystem::path& path);
// The same below a directory, and of a regular file there: its text.
std::optional<Directory> own_subdirectory(const Directory& directory, std::string_view name);
std::optional<std::string> read_own_file(const Directory& directory, std::string_view name, size_t limit);
// A short text as what a symbolic link says, which leads nowhere: replacing it writes no file, which ext4
// would bring to the disk at once (4 ms instead of 0.03). Nothing if there is none.
std::optional<std::string> read_note(const Directory& directory, std::string_view path);
// Replaces it as a whole. One writer at a time.
void write_note(const Directory& directory, std::string_view path, std::string_view text);
// Makes the directory, and those above it, with this mode if they are missing.
Directory make_own_directory(const std::filesystem::path& path, unsigned mode = 0755);

}  // namespace flox::trust
