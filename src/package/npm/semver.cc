#include "package/npm/semver.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace flox::package {
namespace {

constexpr size_t longest_npm_version = 256;  // bytes, as node-semver has it
constexpr size_t longest_range = 4096;       // bytes
constexpr size_t most_alternatives = 256;
constexpr size_t most_comparators = 64;
constexpr uint64_t max_number = (uint64_t{1} << 53) - 1;  // JavaScript's largest safe integer

bool is_number_text(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<uint64_t> semver_number(std::string_view text) {
  if (!is_number_text(text) || text.size() > 16) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) value = value * 10 + static_cast<uint64_t>(c - '0');
  return value > max_number ? std::nullopt : std::optional(value);
}

std::string_view trim_spaces(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

bool is_identifier(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

// A version of which parts may be missing: "1", "1.x", "1.2.3-beta".
struct PartialVersion {
  std::optional<uint64_t> major, minor, patch;
  std::vector<std::string> pre_release;

  NpmVersion lowest() const {
    return {.major = major.value_or(0),
            .minor = minor.value_or(0),
            .patch = patch.value_or(0),
            .pre_release = pre_release};
  }
};

std::optional<PartialVersion> find_partial(std::string_view text) {
  while (text.starts_with('v') || text.starts_with('=')) text.remove_prefix(1);
  text = trim_spaces(text);
  PartialVersion result;
  text = text.substr(0, text.find('+'));
  const size_t dash = text.find('-');
  std::string_view numbers = text.substr(0, dash);
  std::optional<uint64_t>* const parts[] = {&result.major, &result.minor, &result.patch};
  bool open = false;  // a part is missing: all behind it are
  size_t count = 0;
  for (size_t begin = 0; begin <= numbers.size() && !numbers.empty();) {
    const size_t end = std::min(numbers.find('.', begin), numbers.size());
    const std::string_view part = numbers.substr(begin, end - begin);
    begin = end + 1;
    if (count == 3) return std::nullopt;
    if (part == "x" || part == "X" || part == "*") {
      open = true;
    } else {
      const auto number = semver_number(part);
      if (!number) return std::nullopt;
      if (!open) *parts[count] = number;
    }
    ++count;
  }
  if (dash == std::string_view::npos) return result;
  if (!result.patch) return numbers.empty() ? std::nullopt : std::optional(result);
  std::string_view rest = text.substr(dash + 1);
  for (;;) {
    const std::string_view identifier = rest.substr(0, rest.find('.'));
    if (!is_identifier(identifier) || (is_number_text(identifier) && !semver_number(identifier)))
      return std::nullopt;
    result.pre_release.emplace_back(identifier);
    if (rest.size() == identifier.size()) return result;
    rest.remove_prefix(identifier.size() + 1);
  }
}

// The first version that is not of the part any more, with the pre-release that comes before all of it.
NpmVersion behind(const PartialVersion& partial) {
  NpmVersion result{.pre_release = {"0"}};
  if (!partial.minor) {
    result.major = *partial.major + 1;
  } else {
    result.major = *partial.major;
    result.minor = *partial.minor + 1;
  }
  return result;
}

}  // namespace

std::optional<NpmVersion> NpmVersion::find(std::string_view text) {
  text = trim_spaces(text);
  if (text.size() > longest_npm_version) return std::nullopt;
  if (text.find_first_of("xX*") < text.find('-')) return std::nullopt;
  const auto partial = find_partial(text);
  return partial && partial->patch ? std::optional(partial->lowest()) : std::nullopt;
}

std::string NpmVersion::to_string() const {
  return fmt::format("{}.{}.{}{}{}", major, minor, patch, pre_release.empty() ? "" : "-",
                     fmt::join(pre_release, "."));
}

std::strong_ordering operator<=>(const NpmVersion& a, const NpmVersion& b) {
  if (const auto order = a.major <=> b.major; order != 0) return order;
  if (const auto order = a.minor <=> b.minor; order != 0) return order;
  if (const auto order = a.patch <=> b.patch; order != 0) return order;
  if (a.pre_release.empty() != b.pre_release.empty())
    return a.pre_release.empty() ? std::strong_ordering::greater : std::strong_ordering::less;
  for (size_t i = 0; i < std::min(a.pre_release.size(), b.pre_release.size()); ++i) {
    const auto number_a = semver_number(a.pre_release[i]), number_b = semver_number(b.pre_release[i]);
    if (number_a.has_value() != number_b.has_value())
      return number_a ? std::strong_ordering::less : std::strong_ordering::greater;
    const auto order = number_a ? *number_a <=> *number_b : a.pre_release[i].compare(b.pre_release[i]) <=> 0;
    if (order != 0) return order;
  }
  return a.pre_release.size() <=> b.pre_release.size();
}

bool NpmRange::Comparator::admits(const NpmVersion& candidate) const {
  switch (kind) {
    case Kind::less:
      return candidate < version;
    case Kind::less_or_equal:
      return candidate <= version;
    case Kind::equal:
      return candidate == version;
    case Kind::greater_or_equal:
      return candidate >= version;
    case Kind::greater:
      return candidate > version;
  }
  return false;
}

bool NpmRange::add(std::string_view word, Alternative& to) {
  using Kind = Comparator::Kind;
  std::string_view operation;
  for (const std::string_view one : {"^", "~>", "~", ">=", "<=", ">", "<", "="})
    if (word.starts_with(one)) {
      operation = one;
      break;
    }
  const auto partial = find_partial(word.substr(operation.size()));
  if (!partial || word.size() == operation.size()) return false;
  const NpmVersion low = partial->lowest();
  if (!partial->major) {  // "*": anything, but "<*" and ">*" nothing
    if (operation == "<" || operation == ">")
      to.push_back({.kind = Kind::less, .version = {.pre_release = {"0"}}});
    return true;
  }
  if (operation == ">=") {
    to.push_back({.kind = Kind::greater_or_equal, .version = low});
  } else if (operation == ">") {
    if (partial->patch)
      to.push_back({.kind = Kind::greater, .version = low});
    else
      to.push_back({.kind = Kind::greater_or_equal,
                    .version = {.major = behind(*partial).major, .minor = behind(*partial).minor}});
  } else if (operation == "<") {
    NpmVersion high = low;
    if (!partial->patch) high.pre_release = {"0"};
    to.push_back({.kind = Kind::less, .version = high});
  } else if (operation == "<=") {
    if (partial->patch)
      to.push_back({.kind = Kind::less_or_equal, .version = low});
    else
      to.push_back({.kind = Kind::less, .version = behind(*partial)});
  } else if (operation == "^") {
    NpmVersion high{.pre_release = {"0"}};
    if (low.major > 0 || !partial->minor) {
      high.major = low.major + 1;
    } else if (low.minor > 0 || !partial->patch) {
      high.minor = low.minor + 1;
    } else {
      high.patch = low.patch + 1;
    }
    to.push_back({.kind = Kind::greater_or_equal, .version = low});
    to.push_back({.kind = Kind::less, .version = high});
  } else if (operation.starts_with('~') || !partial->patch) {
    to.push_back({.kind = Kind::greater_or_equal, .version = low});
    to.push_back({.kind = Kind::less, .version = behind(*partial)});
  } else {
    to.push_back({.kind = Kind::equal, .version = low});
  }
  return true;
}

bool NpmRange::add_hyphen(std::string_view low, std::string_view high, Alternative& to) {
  const auto from = find_partial(low), until = find_partial(high);
  if (!from || !until) return false;
  return add(fmt::format(">={}", low), to) && add(fmt::format("<={}", high), to);
}

std::optional<NpmRange> NpmRange::find(std::string_view text) {
  if (text.size() > longest_range) return std::nullopt;
  NpmRange range;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find("||", begin), text.size());
    std::string_view rest = trim_spaces(text.substr(begin, end - begin));
    begin = end + 2;
    Alternative alternative;
    if (range.alternatives_.size() == most_alternatives) return std::nullopt;
    if (const size_t hyphen = rest.find(" - "); hyphen != std::string_view::npos) {
      if (!add_hyphen(trim_spaces(rest.substr(0, hyphen)), trim_spaces(rest.substr(hyphen + 3)), alternative))
        return std::nullopt;
      rest = {};
    }
    while (!rest.empty()) {
      // An operator may stand apart from its version.
      size_t word_end = std::min(rest.find_first_not_of("^~<>="), rest.size());
      word_end = std::min(rest.find_first_not_of(" \t", word_end), rest.size());
      word_end = std::min(rest.find_first_of(" \t,", word_end), rest.size());
      std::string word(rest.substr(0, word_end));
      std::erase_if(word, [](char c) { return c == ' ' || c == '\t'; });
      if (!add(word, alternative) || alternative.size() > most_comparators) return std::nullopt;
      rest = trim_spaces(rest.substr(word_end));
      if (rest.starts_with(',')) return std::nullopt;
    }
    range.alternatives_.push_back(std::move(alternative));
  }
  return range;
}

bool NpmRange::admits(const NpmVersion& version) const {
  return std::ranges::any_of(alternatives_, [&](const Alternative& alternative) {
    if (!std::ranges::all_of(alternative, [&](const Comparator& one) { return one.admits(version); }))
      return false;
    if (version.pre_release.empty()) return true;
    return std::ranges::any_of(alternative, [&](const Comparator& one) {
      return !one.version.pre_release.empty() && one.version.major == version.major &&
             one.version.minor == version.minor && one.version.patch == version.patch;
    });
  });
}

}  // namespace flox::package
