// Versions of Python distributions and conditions on them (PEP 440, as
// https://packaging.python.org/en/latest/specifications/version-specifiers/ has it).
#pragma once  // Fuzzed by fuzz/python_requirement.cc.

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flox::package {

struct PythonVersion {
  uint64_t epoch = 0;
  std::vector<uint64_t> release;                 // 1 to 16 numbers
  std::optional<std::pair<char, uint64_t>> pre;  // 'a', 'b' or 'c' (a release candidate), and its number
  std::optional<uint64_t> post, dev;
  std::vector<std::string> local;  // in lower case

  // Nothing for what is not a version; numbers have at most 18 digits.
  static std::optional<PythonVersion> find(std::string_view text);
  static PythonVersion parse(std::string_view text);  // throws Error(invalid_input)

  bool is_pre_release() const noexcept { return pre.has_value() || dev.has_value(); }
  std::string to_string() const;  // the normal form: "1!2.0rc1.post2.dev3+local"
};
std::strong_ordering operator<=>(const PythonVersion& a, const PythonVersion& b);
inline bool operator==(const PythonVersion& a, const PythonVersion& b) { return (a <=> b) == 0; }

// ">=1.0,!=1.5.*,<2": all of them hold.
class PythonSpecifiers {
 public:
  PythonSpecifiers() = default;                          // any version
  static PythonSpecifiers parse(std::string_view text);  // throws Error(invalid_input); at most 64
  // Whether the condition holds. Of pre-releases nothing is said here.
  bool admits(const PythonVersion& version) const;
  // Whether one of them names a pre-release, and so wants some.
  bool names_pre_release() const;
  bool empty() const noexcept { return specifiers_.empty(); }
  const std::string& text() const noexcept { return text_; }

 private:
  struct Specifier {
    std::string operation;
    PythonVersion version;
    bool prefix = false;  // "==1.2.*"
    std::string literal;  // of "==="
    bool admits(const PythonVersion& candidate) const;
  };
  std::vector<Specifier> specifiers_;
  std::string text_;
};

}  // namespace flox::package
