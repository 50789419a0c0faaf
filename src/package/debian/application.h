// The store path of a named Debian package (docs/explanation/packages.md): its own programs in bin, its other
// files where Debian has them, and below libexec/flox/NAME all that the programs have around them. Everything
// but what had to change is a link to the store path of the package that it is from.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "base/os/directory.h"
#include "package/debian/package_tree.h"

namespace flox::package {

struct Application {
  std::string name;      // of the package: libexec/flox/NAME
  std::string own_path;  // "/nix/store/PLACEHOLDER-NAME-VERSION", as its own texts name it
  std::set<size_t> own;  // the tree's pieces whose files the user asked for
  std::string shell;     // of the wrappers: the program of a store path; empty if no wrapper can be made
};

// Programs of the tree that are its own: "bin/git", "sbin/nginx", sorted.
std::vector<std::string> own_programs(const PackageTree& tree, const Application& application);
// Whether writing it would give what the one piece has already: then its store path is the application's.
bool is_piece_itself(const PackageTree& tree, const Application& application, const ImportRules& rules);
// Fills the empty directory `out`. Throws Error.
void write_application(const PackageTree& tree, const Application& application, const ImportRules& rules,
                       const Directory& out);

// A wrapper that sets what the rules say for the program at `place` and becomes it; empty if they say
// nothing.
std::string wrapper_script(const PackageTree& tree, const Application& application, const ImportRules& rules,
                           const std::string& place);

// A wrapper taken apart, for wrappers of other programs that run under the same one.
struct WrapperParts {
  std::string lead;     // its lines before it becomes the program, the first with its shell
  std::string program;  // the program's path
};
// Throws Error(invalid_input) for what wrapper_script() does not write.
WrapperParts parts_of_wrapper(std::string_view script);
// Of the wrapper at `place` ("bin/python3") of an application's store path, which is at `directory` on this
// machine. Throws Error also for one of more than 1 MiB.
WrapperParts read_wrapper(const std::filesystem::path& directory, const std::string& place);

// A text as one word of a POSIX shell.
std::string shell_word(std::string_view text);

}  // namespace flox::package
