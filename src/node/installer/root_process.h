// Finds processes of root by the file that they execute, not by their names, which every user can give his
// programs.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace flox::node {

// The processes of our mount namespace whose user ids are all root's and that run `program`: a file that is
// root's, that nobody else may write, and that has this path now or had it when they began.
std::vector<pid_t> root_processes_of(const std::filesystem::path& program);

// Where a program is in PATH; empty if nowhere.
std::filesystem::path program_in_path(const std::string& name);

}  // namespace flox::node
