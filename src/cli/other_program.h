// Programs that come with this one: beside it, in ../libexec/flox, or in PATH.
#pragma once

#include <string>
#include <vector>

namespace flox::cli {

// Becomes the program, which is called `called` in its own messages. Throws ExitError if it is nowhere.
[[noreturn]] void execute_program(const std::string& name, const std::string& called,
                                  std::vector<std::string> arguments);
// Its path; its name, to be looked up in PATH, if it is not with this program.
std::string find_program(const std::string& name);

}  // namespace flox::cli
