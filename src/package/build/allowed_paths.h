// `sandbox-allow` of a [build] section: files of this machine that a build may have beside its packages.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace flox::package {

// Paths and patterns, as flox has them: "~/" is the home directory, '*' and '**' stand for any text, '/'
// among it, '?' and '[…]' for one character (fnmatch(3) without flags). What stands for a directory stands
// for all below it. The directory in front of the first such character counts by its name and by where it
// leads.
class AllowedPaths {
 public:
  AllowedPaths() = default;
  // Throws Error(invalid_input) for more than 256 patterns, one that is neither absolute nor in the home
  // directory, and one that would be the whole machine.
  AllowedPaths(const std::vector<std::string>& patterns, const std::filesystem::path& home);

  // Whether a file, named without links and from the root, is one of them.
  bool contain(std::string_view path) const;
  // Files and directories that they are on this machine now, none below another: links stay as they are
  // named. Throws Error(invalid_input) if a pattern is more than 1,000 of them, or would have to be searched
  // for among more than 200,000 files.
  std::vector<std::filesystem::path> present() const;

 private:
  struct Pattern {
    std::string written;     // in the manifest, for messages
    std::string text;        // of fnmatch(3); without a wildcard the path
    std::string directory;   // in front of the first wildcard; empty: there is none
    bool all_below = false;  // the directory with all that is in it
  };
  void add(const std::string& written, const std::string& expanded);
  void add_present(const Pattern& pattern, std::vector<std::filesystem::path>& found) const;

  std::vector<Pattern> patterns_;
};

}  // namespace flox::package
