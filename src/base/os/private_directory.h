// Directories that belong to this user alone, also below /tmp, where anybody may have made one of that name
// first.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace flox {

// Why somebody else could change what is at this path itself: "PATH is a link", "PATH belongs to another
// user", "PATH can be written to by everybody" (its group is trusted), or it cannot be examined. Nothing if
// nobody could.
std::optional<std::string> why_not_own(const std::filesystem::path& path);

// The directory, made with mode 0700 if it is missing (those above it with 0755). Nothing if it cannot be
// made, or if what is there is a link, somebody else's, or a directory that others may write to.
std::optional<std::filesystem::path> private_directory(const std::filesystem::path& path);
// The same for who cannot go on without it: throws Error that says why there is none.
void need_private_directory(const std::filesystem::path& path);

// $VARIABLE/flox, or ~/IN_HOME/flox, as the XDG base directory specification has it: user_directory(
// "XDG_CONFIG_HOME", ".config"). Nothing if neither variable is an absolute path. Nothing is made.
std::optional<std::filesystem::path> user_directory(const char* variable, std::string_view in_home);

// Where this user's cache NAME is: $XDG_CACHE_HOME/flox/NAME, or ~/.cache/flox/NAME, or, where neither can be
// written (a pod with a read-only root), /tmp/flox-UID/NAME; if somebody else took that name, a fresh
// directory. Throws Error if /tmp cannot be written, either.
std::filesystem::path user_cache_directory(std::string_view name);

}  // namespace flox
