// The shells that people use, and code for them: what is quoted, exported and sourced in each one's own
// syntax.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace flox::activation {

namespace fs = std::filesystem;

// `sh` is any shell of POSIX: dash, busybox's ash.
enum class Shell { sh, bash, zsh, fish, tcsh };

// "bash": as [profile] names it, too.
std::string_view name_of(Shell shell) noexcept;

// By the name of its program: "/usr/bin/zsh", "-bash", "dash". Nothing for others.
std::optional<Shell> shell_named(const fs::path& program);

// Whether a shell can have a variable of this name.
bool is_identifier(std::string_view name) noexcept;

// One word of the shell's language that stands for exactly this text. tcsh can have no line break in one,
// which becomes a blank.
std::string quoted(Shell shell, std::string_view text);

// Statements with ";" and a line break behind each, so that they can also stand in one line.
std::string exported(Shell shell, std::string_view name, std::string_view value);
std::string unset(Shell shell, std::string_view name);
// Puts "ENTRY:" in front of what the variable has in the shell.
std::string put_in_front(Shell shell, std::string_view name, std::string_view entry);
// Sources the script. Its status counts for nothing, so that a shell with "set -e" goes on.
std::string sourced(Shell shell, const fs::path& script);

}  // namespace flox::activation
