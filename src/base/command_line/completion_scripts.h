// Scripts that make shells complete a program's command line: they ask the program, which answers with
// completion_text() to "PROGRAM complete-words words WORD…".
#pragma once

#include <string>
#include <vector>

namespace flox {

// "bash", "fish", "zsh".
const std::vector<std::string>& completed_shells();
// The script for one of them; Error(invalid_input) for another shell. The program's name is a word of
// letters and hyphens.
std::string completion_script(const std::string& shell, const std::string& program);
// Where the shell looks for it below a prefix's share: "bash-completion/completions/flox".
std::string completion_file(const std::string& shell, const std::string& program);

}  // namespace flox
