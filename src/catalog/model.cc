#include "catalog/model.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "base/letter_case.h"
#include "base/printable.h"
#include "trust/metadata.h"

namespace flox::catalog {
namespace {

using nlohmann::json;

// Bytes of a build's texts, and how many outputs it may have.
constexpr size_t max_short = 64;
constexpr size_t max_license = 256;  // also names of keys
constexpr size_t max_description = 4096;
constexpr size_t max_reason = 1024;
constexpr size_t max_outputs = 64;
constexpr size_t max_comparators = 16;

std::string required(const json& object, const char* key) {
  auto it = object.find(key);
  if (it == object.end() || !it->is_string() || it->get<std::string>().empty())
    fail(ErrorKind::invalid_input, "'{}' is missing or not a string", key);
  return it->get<std::string>();
}

std::string optional_text(const json& object, const char* key, size_t limit) {
  auto it = object.find(key);
  if (it == object.end() || it->is_null()) return {};
  if (!it->is_string()) fail(ErrorKind::invalid_input, "'{}' is not a string", key);
  const auto& text = it->get_ref<const std::string&>();
  if (text.size() > limit) fail(ErrorKind::invalid_input, "'{}' has more than {} bytes", key, limit);
  return text;
}

void check_name(const std::string& name, const char* key, size_t limit) {
  bool good = name.size() <= limit && std::ranges::all_of(name, [](unsigned char c) {
                return std::isalnum(c) ||
                       std::string_view("._+-~").find(static_cast<char>(c)) != std::string_view::npos;
              });
  if (!good || name.starts_with('.') || name.starts_with('-'))
    fail(ErrorKind::invalid_input,
         "'{}': '{}' may hold letters, digits and . _ + - ~ only, at most {} of them", key,
         printable(name, limit), limit);
}

constexpr std::string_view separators = ".-+_";

bool is_separator(char c) { return separators.find(c) != std::string_view::npos; }
bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// What a version is made of, in the order in which the kinds sort where two versions first differ: 1.0~x
// < 1.0-rc1 < 1.0 < 1.0w < 1.0.1.
enum class PartKind { tilde, pre_release, end, word, number };
struct Part {
  PartKind kind = PartKind::end;
  std::string_view text;
};

// Letters lead up to a release if they follow '-' (semver), are a word that says so, or are the a, b, c of
// Python's 1.0b2. Others come after it: OpenSSL's 1.1.1w, OpenSSH's 9.2p1, Debian's +deb12u7.
bool is_pre_release_word(std::string_view word, char separator, std::string_view rest) {
  if (separator == '-') return true;
  if (separator == '+') return false;
  const std::string lower = lower_case(word);
  for (std::string_view known : {"alpha", "beta", "rc", "pre", "preview", "dev", "snapshot"})
    if (lower == known) return true;
  return (lower == "a" || lower == "b" || lower == "c") && !rest.empty() && is_digit(rest[0]);
}

Part take_part(std::string_view& text) {
  char separator = 0;
  while (!text.empty() && is_separator(text[0])) {
    separator = text[0];
    text.remove_prefix(1);
  }
  if (text.empty()) return {};
  size_t end = 1;
  if (text[0] != '~')
    while (end < text.size() && is_digit(text[end]) == is_digit(text[0]) && text[end] != '~' &&
           !is_separator(text[end]))
      ++end;
  Part part{.text = text.substr(0, end)};
  text.remove_prefix(end);
  part.kind = part.text[0] == '~'                               ? PartKind::tilde
              : is_digit(part.text[0])                          ? PartKind::number
              : is_pre_release_word(part.text, separator, text) ? PartKind::pre_release
                                                                : PartKind::word;
  return part;
}

int compare_numbers(std::string_view a, std::string_view b) {
  while (a.size() > 1 && a[0] == '0') a.remove_prefix(1);
  while (b.size() > 1 && b[0] == '0') b.remove_prefix(1);
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

// The first `count` numbers of a version: "1.2.3" -> {1, 2}.
std::vector<std::string> leading_numbers(std::string_view version, size_t count) {
  std::vector<std::string> result;
  while (result.size() < count) {
    Part part = take_part(version);
    if (part.kind != PartKind::number) break;
    result.emplace_back(part.text);
  }
  return result;
}

[[noreturn]] void bad_constraint(std::string_view constraint, std::string_view why) {
  throw Error(ErrorKind::invalid_input, fmt::format("the version constraint '{}': {}", constraint, why),
              "Write an exact version, a part of one (1.2), or one with ^ ~ >= > <= < = before it; several "
              "with commas.");
}

}  // namespace

json PackageBuild::to_json() const {
  json paths = json::object();
  for (const auto& [output, path] : outputs) paths[output] = path.to_string();
  json document = {{"name", name},
                   {"owner", owner},
                   {"version", version},
                   {"system", system},
                   {"variant", variant},
                   {"description", description},
                   {"license", license},
                   {"outputs", paths},
                   {"signer", signer},
                   {"closure_size", closure_size},
                   {"published_at", published_at}};
  if (yanked) document["yanked"] = *yanked;
  return document;
}

PackageBuild PackageBuild::from_json(const json& document) {
  if (!document.is_object()) fail(ErrorKind::invalid_input, "a package build must be a JSON object");
  PackageBuild build;
  build.name = required(document, "name");
  check_name(build.name, "name", 128);
  build.owner = optional_text(document, "owner", max_short);
  if (!build.owner.empty()) trust::check_owner(build.owner);
  build.version = required(document, "version");
  check_name(build.version, "version", 128);
  build.system = required(document, "system");
  if (build.system != "x86_64-linux" && build.system != "aarch64-linux")
    fail(ErrorKind::invalid_input, "'system': '{}' is neither x86_64-linux nor aarch64-linux",
         printable(build.system, max_short));
  build.variant = optional_text(document, "variant", max_short);
  build.description = optional_text(document, "description", max_description);
  build.license = optional_text(document, "license", max_license);
  build.signer = optional_text(document, "signer", max_license);
  if (auto size = document.find("closure_size"); size != document.end()) {
    if (!size->is_number_unsigned())
      fail(ErrorKind::invalid_input, "'closure_size' is not a number of bytes");
    build.closure_size = size->get<uint64_t>();
  }
  build.published_at = optional_text(document, "published_at", max_short);
  if (const auto yanked = document.find("yanked"); yanked != document.end() && !yanked->is_null())
    build.yanked = optional_text(document, "yanked", max_reason);
  auto outputs = document.find("outputs");
  if (outputs == document.end() || !outputs->is_object() || outputs->empty())
    fail(ErrorKind::invalid_input, "'outputs' is missing or empty");
  if (outputs->size() > max_outputs)
    fail(ErrorKind::invalid_input, "'outputs' has more than {} members", max_outputs);
  for (const auto& [output, path] : outputs->items()) {
    check_name(output, "outputs", 64);
    if (!path.is_string()) fail(ErrorKind::invalid_input, "'outputs.{}' is not a string", output);
    build.outputs.emplace(output, in_context("'outputs." + output + "'",
                                             [&] { return nix::StorePath::parse(path.get<std::string>()); }));
  }
  return build;
}

trust::PackageRecord record_of(const PackageBuild& build) {
  trust::PackageRecord record{.name = build.name,
                              .version = build.version,
                              .system = build.system,
                              .variant = build.variant,
                              .outputs = {}};
  for (const auto& [output, path] : build.outputs) record.outputs.emplace(output, path.to_string());
  return record;
}

int compare_versions(std::string_view a, std::string_view b) {
  for (;;) {
    Part part_a = take_part(a);
    Part part_b = take_part(b);
    if (part_a.kind != part_b.kind) return part_a.kind < part_b.kind ? -1 : 1;
    if (part_a.kind == PartKind::end) return 0;
    int order = part_a.kind == PartKind::number ? compare_numbers(part_a.text, part_b.text)
                                                : part_a.text.compare(part_b.text);
    if (order != 0) return order < 0 ? -1 : 1;
  }
}

bool is_pre_release(std::string_view version) {
  for (;;) {
    PartKind kind = take_part(version).kind;
    if (kind == PartKind::tilde || kind == PartKind::pre_release) return true;
    if (kind == PartKind::end) return false;
  }
}

// ">=1.2, <2" -> {{">=", "1.2"}, {"<", "2"}}; "1.2.*" -> {{"", "1.2"}}.
VersionConstraint::VersionConstraint(std::string_view constraint) {
  std::string_view rest = constraint;
  auto skip = [&](std::string_view characters) {
    size_t end = rest.find_first_not_of(characters);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end);
  };
  for (skip(" ,"); !rest.empty(); skip(" ,")) {
    std::string_view operation;
    for (std::string_view known : {">=", "<=", "==", ">", "<", "=", "^", "~"})
      if (rest.starts_with(known)) {
        operation = known;
        rest.remove_prefix(known.size());
        break;
      }
    skip(" ");
    std::string_view version = rest.substr(0, rest.find_first_of(" ,"));
    rest.remove_prefix(version.size());
    if (version.empty()) bad_constraint(constraint, fmt::format("no version follows '{}'", operation));
    for (std::string_view wildcard : {".*", ".x", ".X"})
      while (version.ends_with(wildcard)) {
        version.remove_suffix(2);
        if (operation.empty()) operation = "*";  // a part, and no version by name
      }
    bool readable =
        version == "*" || (!version.empty() && std::isalnum(static_cast<unsigned char>(version[0])) != 0 &&
                           std::ranges::all_of(version, [](unsigned char c) {
                             return std::isalnum(c) || c == '~' || is_separator(static_cast<char>(c));
                           }));
    if (!readable) bad_constraint(constraint, fmt::format("'{}' is not a version", version));
    if (comparators_.size() == max_comparators)
      bad_constraint(constraint, fmt::format("it has more than {} conditions", max_comparators));
    comparators_.push_back({std::string(operation), std::string(version)});
  }
}

bool VersionConstraint::Comparator::admits(std::string_view given) const {
  if (version == "*") return true;
  if (operation == ">=") return compare_versions(given, version) >= 0;
  if (operation == "<=") return compare_versions(given, version) <= 0;
  if (operation == ">") return compare_versions(given, version) > 0;
  if (operation == "<") return compare_versions(given, version) < 0;
  if (operation == "=" || operation == "==") return compare_versions(given, version) == 0;
  if (operation == "^" || operation == "~") {
    if (compare_versions(given, version) < 0) return false;
    auto numbers = leading_numbers(version, 3);
    // ^ keeps the first number that is not zero, ~ the first two (semver ranges).
    size_t kept = operation == "~" ? 2 : 1;
    if (operation == "^")
      while (kept < numbers.size() && numbers[kept - 1] == "0") ++kept;
    kept = std::min(kept, numbers.size());
    numbers.resize(kept);
    return leading_numbers(given, kept) == numbers;
  }
  return given == version ||
         (given.size() > version.size() && given.starts_with(version) && is_separator(given[version.size()]));
}

bool VersionConstraint::admits(std::string_view version) const {
  return std::ranges::all_of(comparators_, [&](const Comparator& one) { return one.admits(version); });
}

bool VersionConstraint::names(std::string_view version) const {
  if (comparators_.size() != 1) return false;
  const Comparator& one = comparators_.front();
  return one.version == version && (one.operation.empty() || one.operation == "=" || one.operation == "==");
}

bool satisfies(std::string_view version, std::string_view constraint) {
  return VersionConstraint(constraint).admits(version);
}

}  // namespace flox::catalog
