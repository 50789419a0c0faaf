// Versions of npm's packages and ranges of them: Semantic Versioning 2.0.0 (https://semver.org) and the
// ranges of https://github.com/npm/node-semver#ranges.
#pragma once  // Fuzzed by fuzz/npm_range.cc.

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flox::package {

struct NpmVersion {
  uint64_t major = 0, minor = 0, patch = 0;
  std::vector<std::string> pre_release;  // "beta", "2"

  // "1.2.3-beta.2+build", also behind "v" or "="; the build is left out. Nothing for what is not a version.
  static std::optional<NpmVersion> find(std::string_view text);
  std::string to_string() const;
};
std::strong_ordering operator<=>(const NpmVersion& a, const NpmVersion& b);
inline bool operator==(const NpmVersion& a, const NpmVersion& b) { return (a <=> b) == 0; }

// "^1.2 || >=2.0.0 <3 || 4.1 - 5".
class NpmRange {
 public:
  // Nothing for what is no range, such as a tag, a URL or a file. At most 256 alternatives of 64 conditions.
  static std::optional<NpmRange> find(std::string_view text);
  // A pre-release is admitted only where a condition of the same alternative names one of its version.
  bool admits(const NpmVersion& version) const;

 private:
  struct Comparator {
    enum class Kind { less, less_or_equal, equal, greater_or_equal, greater } kind;
    NpmVersion version;
    bool admits(const NpmVersion& candidate) const;
  };
  using Alternative = std::vector<Comparator>;
  static bool add(std::string_view word, Alternative& to);
  static bool add_hyphen(std::string_view low, std::string_view high, Alternative& to);
  std::vector<Alternative> alternatives_;
};

}  // namespace flox::package
