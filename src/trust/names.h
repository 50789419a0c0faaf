// What signed metadata is about: owners, names of packages and environments, and patterns of names.
#pragma once

#include <string>
#include <string_view>

namespace flox::trust {

// [A-Za-z0-9._-]{1,64}, and begins with a letter or a digit: as in names of environments. Throws
// Error(invalid_input).
void check_owner(std::string_view owner);
// The command, for advice, by which a machine comes to trust the owner: "flox trust accept OWNER …".
std::string accept_command(std::string_view owner);
// What a name looks like to people: names of equal looks are taken for each other. In lower case, with '-'
// for '_' and '.', and one character for those that look alike in many fonts (0 and o; 1, i and l). Names
// have ASCII only, so nothing else does.
std::string look_of(std::string_view name);
// check_owner() for names of keys and roles; `what` is "the key's name".
void check_label(std::string_view text, std::string_view what);

// "packages/NAME" and "environments/NAME".
std::string package_name(std::string_view package);
std::string environment_name(std::string_view environment);
// Throws Error(invalid_input) for what is neither of both: NAME is [A-Za-z0-9._+-]{1,128}, and not only dots.
void check_name(std::string_view name);

// A kind ("packages" or "environments", or a pattern of both), '/', and a pattern of names: letters, digits,
// '.',
// '_', '+', '-', '*' (any text without '/') and '?' (any character but '/'). Throws Error(invalid_input).
void check_pattern(std::string_view pattern);
bool matches(std::string_view pattern, std::string_view name) noexcept;

}  // namespace flox::trust
