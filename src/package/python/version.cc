#include "package/python/version.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/letter_case.h"
#include "base/printable.h"

namespace flox::package {
namespace {

constexpr size_t longest_version = 255;  // bytes
constexpr size_t most_release_parts = 16;
constexpr size_t most_digits = 18;
constexpr size_t most_specifiers = 64;

bool is_decimal(char c) { return c >= '0' && c <= '9'; }
bool is_local_character(char c) { return is_decimal(c) || (c >= 'a' && c <= 'z'); }

std::string_view stripped(std::string_view text) {
  constexpr std::string_view spaces = " \t\r\n\f\v";
  text.remove_prefix(std::min(text.find_first_not_of(spaces), text.size()));
  return text.substr(0, text.find_last_not_of(spaces) + 1);
}

// Takes a version apart from its beginning; every step gives back what does not fit.
class VersionScanner {
 public:
  explicit VersionScanner(std::string text) : text_(std::move(text)) {}

  std::optional<PythonVersion> scan() {
    PythonVersion version;
    take("v");
    auto first = number();
    if (!first) return std::nullopt;
    if (take("!")) {
      version.epoch = *first;
      first = number();
      if (!first) return std::nullopt;
    }
    version.release.push_back(*first);
    while (at_ < text_.size() && text_[at_] == '.' && is_decimal_at(at_ + 1)) {
      ++at_;
      const auto next = number();
      if (!next || version.release.size() == most_release_parts) return std::nullopt;
      version.release.push_back(*next);
    }
    scan_suffixes(version);
    if (take("+") && !scan_local(version)) return std::nullopt;
    if (at_ != text_.size() || too_long_) return std::nullopt;
    return version;
  }

 private:
  void scan_suffixes(PythonVersion& version) {
    static constexpr std::array<std::pair<std::string_view, char>, 8> pre_names{{{"alpha", 'a'},
                                                                                 {"beta", 'b'},
                                                                                 {"preview", 'c'},
                                                                                 {"pre", 'c'},
                                                                                 {"rc", 'c'},
                                                                                 {"a", 'a'},
                                                                                 {"b", 'b'},
                                                                                 {"c", 'c'}}};
    for (const auto& [name, kind] : pre_names)
      if (const auto found = named(name)) {
        version.pre.emplace(kind, *found);
        break;
      }
    if (at_ < text_.size() && text_[at_] == '-' && is_decimal_at(at_ + 1)) {
      ++at_;
      version.post = number();
    } else {
      for (const std::string_view name : {"post", "rev", "r"})
        if (const auto found = named(name)) {
          version.post = found;
          break;
        }
    }
    version.dev = named("dev");
  }
  bool scan_local(PythonVersion& version) {
    for (;;) {
      std::string part;
      while (at_ < text_.size() && is_local_character(text_[at_])) part += text_[at_++];
      if (part.empty()) return false;
      if (std::ranges::all_of(part, is_decimal)) {
        if (part.size() > most_digits) return false;
        part.erase(0, std::min(part.find_first_not_of('0'), part.size() - 1));
      }
      version.local.push_back(std::move(part));
      if (at_ == text_.size() || std::string_view("-_.").find(text_[at_]) == std::string_view::npos)
        return true;
      ++at_;
    }
  }
  // "[-_.]NAME[-_.]NUMBER": the number, 0 if there is none.
  std::optional<uint64_t> named(std::string_view name) {
    const size_t before = at_;
    take_separator();
    if (!take(name)) {
      at_ = before;
      return std::nullopt;
    }
    const size_t behind = at_;
    take_separator();
    if (const auto found = number()) return found;
    at_ = behind;
    return 0;
  }
  std::optional<uint64_t> number() {
    const size_t begin = at_;
    uint64_t value = 0;
    while (is_decimal_at(at_)) {
      if (at_ - begin == most_digits) {
        too_long_ = true;
        return std::nullopt;
      }
      value = value * 10 + static_cast<uint64_t>(text_[at_++] - '0');
    }
    return at_ == begin ? std::nullopt : std::optional(value);
  }
  bool take(std::string_view word) {
    if (std::string_view(text_).substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  void take_separator() {
    if (at_ < text_.size() && std::string_view("-_.").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool is_decimal_at(size_t at) const { return at < text_.size() && is_decimal(text_[at]); }

  std::string text_;
  size_t at_ = 0;
  bool too_long_ = false;
};

uint64_t part_at(const std::vector<uint64_t>& release, size_t i) {
  return i < release.size() ? release[i] : 0;
}

std::strong_ordering compare_releases(const std::vector<uint64_t>& a, const std::vector<uint64_t>& b) {
  for (size_t i = 0; i < std::max(a.size(), b.size()); ++i)
    if (const auto order = part_at(a, i) <=> part_at(b, i); order != 0) return order;
  return std::strong_ordering::equal;
}

// Where a version stands by its pre-release: a development release of the final one comes before all of them.
std::pair<int, std::pair<char, uint64_t>> pre_key(const PythonVersion& version) {
  if (version.pre) return {0, *version.pre};
  return {version.dev && !version.post ? -1 : 1, {}};
}

std::strong_ordering compare_locals(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const bool a_number = is_decimal(a[i][0]) && std::ranges::all_of(a[i], is_decimal);
    const bool b_number = is_decimal(b[i][0]) && std::ranges::all_of(b[i], is_decimal);
    if (a_number != b_number) return a_number ? std::strong_ordering::greater : std::strong_ordering::less;
    // Without leading zeros the longer number is the larger one.
    if (a_number && a[i].size() != b[i].size()) return a[i].size() <=> b[i].size();
    if (const int order = a[i].compare(b[i]); order != 0) return order <=> 0;
  }
  return a.size() <=> b.size();
}

PythonVersion without_local(PythonVersion version) {
  version.local.clear();
  return version;
}

bool has_prefix(const PythonVersion& candidate, const PythonVersion& prefix, size_t parts) {
  if (candidate.epoch != prefix.epoch) return false;
  for (size_t i = 0; i < parts; ++i)
    if (part_at(candidate.release, i) != prefix.release[i]) return false;
  return true;
}

bool same_final_release(const PythonVersion& a, const PythonVersion& b) {
  return a.epoch == b.epoch && compare_releases(a.release, b.release) == 0;
}

}  // namespace

std::optional<PythonVersion> PythonVersion::find(std::string_view text) {
  text = stripped(text);
  if (text.empty() || text.size() > longest_version) return std::nullopt;
  return VersionScanner(lower_case(text)).scan();
}

PythonVersion PythonVersion::parse(std::string_view text) {
  auto version = find(text);
  if (!version)
    fail(ErrorKind::invalid_input, "'{}' is not a version of a Python distribution", printable(text, 60));
  return *std::move(version);
}

std::string PythonVersion::to_string() const {
  std::string text = epoch == 0 ? "" : fmt::format("{}!", epoch);
  text += fmt::format("{}", fmt::join(release, "."));
  if (pre) text += fmt::format("{}{}", pre->first == 'c' ? "rc" : std::string(1, pre->first), pre->second);
  if (post) text += fmt::format(".post{}", *post);
  if (dev) text += fmt::format(".dev{}", *dev);
  if (!local.empty()) text += fmt::format("+{}", fmt::join(local, "."));
  return text;
}

std::strong_ordering operator<=>(const PythonVersion& a, const PythonVersion& b) {
  if (const auto order = a.epoch <=> b.epoch; order != 0) return order;
  if (const auto order = compare_releases(a.release, b.release); order != 0) return order;
  if (const auto order = pre_key(a) <=> pre_key(b); order != 0) return order;
  if (const auto order = a.post <=> b.post; order != 0) return order;  // none comes first
  if (a.dev != b.dev) {
    if (!a.dev) return std::strong_ordering::greater;
    if (!b.dev) return std::strong_ordering::less;
    return *a.dev <=> *b.dev;
  }
  return compare_locals(a.local, b.local);
}

bool PythonSpecifiers::Specifier::admits(const PythonVersion& candidate) const {
  if (operation == "===") return is_same_in_any_case(candidate.to_string(), literal);
  if (operation == "==" || operation == "!=") {
    const bool same = prefix ? has_prefix(candidate, version, version.release.size())
                             : (version.local.empty() ? without_local(candidate) : candidate) == version;
    return same == (operation == "==");
  }
  if (operation == "~=")
    return without_local(candidate) >= version && has_prefix(candidate, version, version.release.size() - 1);
  if (operation == ">=") return without_local(candidate) >= version;
  if (operation == "<=") return without_local(candidate) <= version;
  if (operation == "<") {
    if (!(candidate < version)) return false;
    return version.is_pre_release() || !candidate.is_pre_release() || !same_final_release(candidate, version);
  }
  // ">"
  if (!(candidate > version)) return false;
  if (!version.post && candidate.post && same_final_release(candidate, version)) return false;
  return candidate.local.empty() || !same_final_release(candidate, version);
}

PythonSpecifiers PythonSpecifiers::parse(std::string_view text) {
  PythonSpecifiers result;
  std::string_view rest = stripped(text);
  if (rest.size() > 4096) fail(ErrorKind::invalid_input, "a condition on versions has more than 4,096 bytes");
  result.text_ = rest;
  while (!rest.empty()) {
    std::string_view one = stripped(rest.substr(0, rest.find(',')));
    rest.remove_prefix(
        std::min(rest.find(',') == std::string_view::npos ? rest.size() : rest.find(',') + 1, rest.size()));
    if (one.empty()) continue;
    if (result.specifiers_.size() == most_specifiers)
      fail(ErrorKind::invalid_input, "more than {} conditions on versions", most_specifiers);
    Specifier specifier;
    for (const std::string_view operation : {"===", "==", "!=", "~=", "<=", ">=", "<", ">"})
      if (one.starts_with(operation)) {
        specifier.operation = operation;
        break;
      }
    if (specifier.operation.empty())
      fail(ErrorKind::invalid_input, "'{}' is not a condition on versions", printable(one, 60));
    one = stripped(one.substr(specifier.operation.size()));
    if (specifier.operation == "===") {
      specifier.literal = one;
    } else {
      specifier.prefix = one.ends_with(".*");
      if (specifier.prefix) one.remove_suffix(2);
      specifier.version = PythonVersion::parse(one);
      const bool is_plain =
          !specifier.version.is_pre_release() && !specifier.version.post && specifier.version.local.empty();
      if (specifier.prefix && (!is_plain || (specifier.operation != "==" && specifier.operation != "!=")))
        fail(ErrorKind::invalid_input, "'{}{}.*' is not a condition on versions", specifier.operation,
             printable(one, 60));
      if (specifier.operation == "~=" && specifier.version.release.size() < 2)
        fail(ErrorKind::invalid_input, "'~={}' needs a version of two numbers or more", printable(one, 60));
    }
    result.specifiers_.push_back(std::move(specifier));
  }
  return result;
}

bool PythonSpecifiers::admits(const PythonVersion& version) const {
  return std::ranges::all_of(specifiers_, [&](const Specifier& one) { return one.admits(version); });
}

bool PythonSpecifiers::names_pre_release() const {
  return std::ranges::any_of(specifiers_, [](const Specifier& one) {
    return one.operation != "!=" && one.literal.empty() && one.version.is_pre_release();
  });
}

}  // namespace flox::package
