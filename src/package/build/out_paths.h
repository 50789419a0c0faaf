// Paths of this machine in what a build left in $out: those that become store paths, and those that would
// lead nowhere where the package runs.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace flox::package {

inline constexpr size_t max_built_file = size_t{4} << 30;  // bytes; a build with a larger one is refused

struct OutPaths {
  // Put in place of one another wherever they are, in files, programs and links: of the same length.
  std::map<std::string, std::string> same_length;
  // Put in place of one another in texts and links; in other files they are refused.
  std::map<std::string, std::string> in_texts;
  // Directories that only this machine has: the project's, the build's.
  std::vector<std::string> local;
  // One line for people, about a file that names a local directory and may not need it.
  std::function<void(const std::string& line)> note;
};

// Goes through the tree's files and links, in the order of names. Throws Error(invalid_input) naming file and
// path: for a link into a local directory, for one that a script, an interpreter's line or a file that others
// read paths from (pyvenv.cfg, *.pth, *.egg-link, *.pc, *.la) names, and for a path of `in_texts` in a file
// that is no text. A path counts where it begins and ends: /app is not in /application.
void settle_out_paths(const std::filesystem::path& tree, const OutPaths& paths);

// The first file or link, in the order of names, that has this text; empty if none has.
std::string place_with(const std::filesystem::path& tree, const std::string& text);

// Throws Error(untrusted) naming file and interpreter if an executable script of the tree is run by something
// that neither stands below a store path of `allowed` ("/nix/store/…") nor is /bin/sh or /usr/bin/env, which
// pods have.
void require_shebangs_inside(const std::filesystem::path& tree, const std::vector<std::string>& allowed);

}  // namespace flox::package
