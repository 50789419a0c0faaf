#include "package/build/allowed_paths.h"

#include <fnmatch.h>
#include <limits.h>

#include <algorithm>

#include "base/at_or_below.h"
#include "base/error.h"
#include "base/printable.h"

namespace flox::package {
namespace {

namespace fs = std::filesystem;

constexpr size_t most_patterns = 256;
constexpr size_t most_present = 1000;
constexpr size_t most_searched = 200'000;  // files

constexpr std::string_view wildcards = "*?[\\";

[[noreturn]] void refuse(const std::string& written, std::string_view why, std::string advice) {
  throw Error(ErrorKind::invalid_input, fmt::format("sandbox-allow '{}' {}", printable(written, 200), why),
              std::move(advice));
}

std::string escaped(const std::string& path) {
  std::string text;
  for (const char c : path) {
    if (wildcards.find(c) != std::string_view::npos) text += '\\';
    text += c;
  }
  return text;
}

// Where a path leads, or the path itself if that is nowhere.
std::string real(const std::string& path) {
  std::error_code error;
  const fs::path found = fs::canonical(path, error);
  return error ? path : found.string();
}

}  // namespace

AllowedPaths::AllowedPaths(const std::vector<std::string>& patterns, const fs::path& home) {
  if (patterns.size() > most_patterns)
    fail(ErrorKind::invalid_input, "sandbox-allow has {} patterns; the most are {}", patterns.size(),
         most_patterns);
  for (const std::string& written : patterns) {
    std::string expanded = written;
    if (written == "~" || written.starts_with("~/")) {
      if (!home.is_absolute()) refuse(written, "is in the home directory, but HOME is not set", "Set HOME.");
      expanded = escaped(home.lexically_normal().string()) + written.substr(1);
    }
    if (!expanded.starts_with('/') || expanded.size() >= PATH_MAX || expanded.find('\0') != std::string::npos)
      refuse(written, "is neither an absolute path nor one in the home directory",
             "Write it from '/' or '~/' on, as in \"/usr/include/**\" or \"~/.npm/**\".");
    while (expanded.size() > 1 && expanded.ends_with('/')) expanded.pop_back();
    add(written, expanded);
  }
}

void AllowedPaths::add(const std::string& written, const std::string& expanded) {
  // The home directory's own characters have been escaped; they are not wildcards.
  size_t wildcard = 0;
  std::string plain;
  for (; wildcard < expanded.size() &&
         (expanded[wildcard] == '\\' || wildcards.find(expanded[wildcard]) == std::string_view::npos);
       ++wildcard) {
    if (expanded[wildcard] == '\\' && ++wildcard == expanded.size()) break;
    plain += expanded[wildcard];
  }
  const auto require_part = [&](const std::string& directory) {
    if (directory.empty() || directory == "/")
      refuse(written, "would be the whole machine",
             "Name the directories that the build needs, or build with sandbox = \"warn\".");
  };
  if (wildcard >= expanded.size()) {
    const std::string path = fs::path(plain).lexically_normal().string();
    require_part(path);
    require_part(real(path));
    for (const std::string& text : {path, real(path)})
      patterns_.push_back({.written = written, .text = text, .directory = {}});
    return;
  }
  const std::string directory = fs::path(plain.substr(0, plain.rfind('/'))).lexically_normal().string();
  require_part(directory);
  require_part(real(directory));
  // "/usr/inc*" is below /usr, with what has been passed of the name.
  const std::string rest = escaped(plain.substr(plain.rfind('/'))) + expanded.substr(wildcard);
  const bool all_below = rest.find_first_not_of("*/") == std::string::npos;
  for (const std::string& place : {directory, real(directory)})
    patterns_.push_back(
        {.written = written, .text = escaped(place) + rest, .directory = place, .all_below = all_below});
}

bool AllowedPaths::contain(std::string_view path) const {
  for (const Pattern& pattern : patterns_) {
    if (pattern.directory.empty()) {
      if (is_at_or_below(path, pattern.text)) return true;
      continue;
    }
    if (!is_at_or_below(path, pattern.directory)) continue;
    if (pattern.all_below) return true;
    // A directory that the pattern stands for has all below it.
    for (size_t end = pattern.directory.size(); end != std::string_view::npos;) {
      end = path.find('/', end + 1);
      if (::fnmatch(pattern.text.c_str(), std::string(path.substr(0, end)).c_str(), 0) == 0) return true;
    }
  }
  return false;
}

void AllowedPaths::add_present(const Pattern& pattern, std::vector<fs::path>& found) const {
  const auto exists = [](const fs::path& path) {
    std::error_code error;
    return fs::exists(path, error);
  };
  if (pattern.directory.empty() || pattern.all_below) {
    const std::string& path = pattern.directory.empty() ? pattern.text : pattern.directory;
    if (exists(path)) found.emplace_back(path);
    return;
  }
  std::error_code error;
  size_t searched = 0, own = 0;
  auto entry = fs::recursive_directory_iterator(pattern.directory,
                                                fs::directory_options::skip_permission_denied, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (++searched > most_searched)
      refuse(pattern.written, fmt::format("is searched for among more than {} files", most_searched),
             "Name more of the directory in front of its first '*', or end it with '/**'.");
    if (::fnmatch(pattern.text.c_str(), entry->path().c_str(), 0) != 0) continue;
    entry.disable_recursion_pending();
    if (!exists(entry->path())) continue;  // a link that leads nowhere
    if (++own > most_present)
      refuse(pattern.written, fmt::format("is more than {} files", most_present),
             "Name their directory, as in \"/usr/include/**\".");
    found.push_back(entry->path());
  }
}

std::vector<fs::path> AllowedPaths::present() const {
  std::vector<fs::path> found;
  for (const Pattern& pattern : patterns_) add_present(pattern, found);
  std::ranges::sort(found, {}, &fs::path::native);
  std::vector<fs::path> result;
  for (fs::path& path : found) {
    const bool below = std::ranges::any_of(
        result, [&](const fs::path& other) { return is_at_or_below(path.native(), other.native()); });
    if (!below) result.push_back(std::move(path));
  }
  return result;
}

}  // namespace flox::package
