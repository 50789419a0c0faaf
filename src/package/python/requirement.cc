#include "package/python/requirement.h"

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "base/letter_case.h"
#include "base/printable.h"

namespace flox::package {
namespace {

constexpr size_t longest_requirement = 8192;  // bytes
constexpr size_t longest_project = 128;       // bytes
constexpr size_t most_extras = 64;
constexpr int deepest_marker = 32;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// One marker, evaluated as it is read: or := and ("or" and)*, and := atom ("and" atom)*.
class Marker {
 public:
  Marker(std::string_view text, const MarkerEnvironment& environment, std::string_view extra)
      : rest_(text), environment_(environment), extra_(extra) {}

  bool evaluate() {
    const bool result = any(0);
    skip_spaces();
    if (!rest_.empty()) unreadable();
    return result;
  }

 private:
  struct Value {
    std::string text;
    bool is_extra = false;
  };

  [[noreturn]] void unreadable() const {
    fail(ErrorKind::invalid_input, "a marker cannot be read at '{}'", printable(rest_, 40));
  }
  void skip_spaces() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size())); }
  bool take_word(std::string_view word) {
    skip_spaces();
    if (!rest_.starts_with(word)) return false;
    if (rest_.size() > word.size() && (is_alphanumeric(rest_[word.size()]) || rest_[word.size()] == '_'))
      return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  bool take(std::string_view text) {
    skip_spaces();
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  bool any(int depth) {
    bool result = all(depth);
    while (take_word("or")) result = static_cast<int>(all(depth)) != 0 || result;
    return result;
  }
  bool all(int depth) {
    bool result = atom(depth);
    while (take_word("and")) result = static_cast<int>(atom(depth)) != 0 && result;
    return result;
  }
  bool atom(int depth) {
    if (depth > deepest_marker) fail(ErrorKind::invalid_input, "a marker has too many parentheses");
    if (take("(")) {
      const bool result = any(depth + 1);
      if (!take(")")) unreadable();
      return result;
    }
    Value left = value();
    const std::string operation = this->operation();
    Value right = value();
    if (left.is_extra != right.is_extra) {  // names of extras are compared in their normal form
      Value& literal = left.is_extra ? right : left;
      literal.text = normalized_project(literal.text);
      return (left.text == right.text) == (operation != "!=");
    }
    return compare(left, operation, right);
  }
  std::string operation() {
    if (take_word("in")) return "in";
    if (take_word("not")) {
      if (!take_word("in")) unreadable();
      return "not in";
    }
    for (const std::string_view one : {"===", "==", "!=", "~=", "<=", ">=", "<", ">"})
      if (take(one)) return std::string(one);
    unreadable();
  }
  Value value() {
    skip_spaces();
    if (rest_.empty()) unreadable();
    const char quote = rest_.front();
    if (quote == '\'' || quote == '"') {
      const size_t end = rest_.find(quote, 1);
      if (end == std::string_view::npos) unreadable();
      Value result{.text = std::string(rest_.substr(1, end - 1))};
      rest_.remove_prefix(end + 1);
      return result;
    }
    size_t end = 0;
    while (end < rest_.size() && (is_alphanumeric(rest_[end]) || rest_[end] == '_' || rest_[end] == '.'))
      ++end;
    std::string name(rest_.substr(0, end));
    // Names of before PEP 508.
    std::ranges::replace(name, '.', '_');
    if (name == "python_implementation") name = "platform_python_implementation";
    if (name == "extra") {
      rest_.remove_prefix(end);
      return {.text = std::string(extra_), .is_extra = true};
    }
    const auto found = environment_.find(name);
    if (found == environment_.end()) unreadable();
    rest_.remove_prefix(end);
    return {.text = found->second};
  }
  static bool compare(const Value& left, const std::string& operation, const Value& right) {
    if (operation == "in") return right.text.find(left.text) != std::string::npos;
    if (operation == "not in") return right.text.find(left.text) == std::string::npos;
    // As versions if the right side is one; the values of variables need not be.
    if (const auto version = PythonVersion::find(left.text)) {
      try {
        return PythonSpecifiers::parse(operation + right.text).admits(*version);
      } catch (const Error&) {  // texts, then
      }
    }
    if (operation == "==" || operation == "===") return left.text == right.text;
    if (operation == "!=") return left.text != right.text;
    if (operation == "<") return left.text < right.text;
    if (operation == "<=") return left.text <= right.text;
    if (operation == ">") return left.text > right.text;
    if (operation == ">=") return left.text >= right.text;
    return false;  // "~=" of what is no version
  }

  std::string_view rest_;
  const MarkerEnvironment& environment_;
  std::string_view extra_;
};

// Every variable, so that a marker can be read without an environment.
const MarkerEnvironment& any_environment() {
  static const MarkerEnvironment environment = [] {
    MarkerEnvironment result;
    for (const char* name :
         {"python_version", "python_full_version", "os_name", "sys_platform", "platform_release",
          "platform_system", "platform_version", "platform_machine", "platform_python_implementation",
          "implementation_name", "implementation_version"})
      result.emplace(name, "");
    return result;
  }();
  return environment;
}

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

}  // namespace

bool is_project_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= longest_project && is_alphanumeric(name.front()) &&
         is_alphanumeric(name.back()) && std::ranges::all_of(name, [](char c) {
           return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
         });
}

std::string normalized_project(std::string_view name) {
  std::string result;
  for (const char c : name) {
    const bool separates = c == '-' || c == '_' || c == '.';
    if (!separates)
      result += lower_case(c);
    else if (!result.empty() && result.back() != '-')
      result += '-';
  }
  return result;
}

namespace {

[[noreturn]] void refuse_requirement(std::string_view text) {
  fail(ErrorKind::invalid_input, "'{}' is not a requirement of a Python distribution", printable(text, 80));
}

}  // namespace

PythonRequirement PythonRequirement::parse(std::string_view text) {
  if (text.size() > longest_requirement)
    fail(ErrorKind::invalid_input, "a requirement has more than {} bytes", longest_requirement);
  const std::string_view whole = trimmed(text);
  const auto unreadable = [&] { refuse_requirement(whole); };
  std::string_view rest = whole;
  size_t end = 0;
  while (end < rest.size() &&
         (is_alphanumeric(rest[end]) || rest[end] == '-' || rest[end] == '_' || rest[end] == '.'))
    ++end;
  PythonRequirement result;
  if (!is_project_name(rest.substr(0, end))) unreadable();
  result.name = normalized_project(rest.substr(0, end));
  rest = trimmed(rest.substr(end));
  if (rest.starts_with('[')) {
    const size_t close = rest.find(']');
    if (close == std::string_view::npos) unreadable();
    std::string_view extras = rest.substr(1, close - 1);
    while (!extras.empty()) {
      const std::string_view extra = trimmed(extras.substr(0, extras.find(',')));
      const size_t comma = extras.find(',');
      extras.remove_prefix(comma == std::string_view::npos ? extras.size() : comma + 1);
      if (extra.empty() && extras.empty()) break;
      if (!is_project_name(extra) || result.extras.size() == most_extras) unreadable();
      result.extras.insert(normalized_project(extra));
    }
    rest = trimmed(rest.substr(close + 1));
  }
  if (rest.starts_with('@')) {
    // A URL may have semicolons: the marker's has a space before it.
    const size_t semicolon = rest.find(" ;");
    result.url = trimmed(rest.substr(1, semicolon == std::string_view::npos ? semicolon : semicolon - 1));
    rest = semicolon == std::string_view::npos ? std::string_view() : rest.substr(semicolon + 1);
  } else {
    const size_t semicolon = std::min(rest.find(';'), rest.size());
    std::string_view versions = trimmed(rest.substr(0, semicolon));
    rest = rest.substr(semicolon);
    if (versions.starts_with('(') && versions.ends_with(')'))
      versions = versions.substr(1, versions.size() - 2);
    result.versions = PythonSpecifiers::parse(versions);
  }
  if (rest.starts_with(';')) result.marker = trimmed(rest.substr(1));
  if (!result.marker.empty()) Marker(result.marker, any_environment(), "").evaluate();
  return result;
}

bool PythonRequirement::applies(const MarkerEnvironment& environment,
                                const std::set<std::string>& wanted) const {
  if (marker.empty()) return true;
  if (Marker(marker, environment, "").evaluate()) return true;
  return std::ranges::any_of(
      wanted, [&](const std::string& extra) { return Marker(marker, environment, extra).evaluate(); });
}

}  // namespace flox::package
