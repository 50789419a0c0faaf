#include "catalog/model.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"

namespace flox::catalog {
namespace {

using nlohmann::json;

std::string required(const json& object, const char* key) {
  auto it = object.find(key);
  if (it == object.end() || !it->is_string() || it->get<std::string>().empty())
    fail(ErrorKind::invalid_input, "'{}' is missing or no text", key);
  return it->get<std::string>();
}

void check_name(const std::string& name, const char* key, size_t limit) {
  bool good = name.size() <= limit && std::ranges::all_of(name, [](unsigned char c) {
                return std::isalnum(c) ||
                       std::string_view("._+-~").find(static_cast<char>(c)) != std::string_view::npos;
              });
  if (!good || name.starts_with('.') || name.starts_with('-'))
    fail(ErrorKind::invalid_input,
         "'{}': '{}' may hold letters, digits and . _ + - ~ only, at most {} of them", key, name, limit);
}

// One run of digits or of other characters.
std::string_view take_part(std::string_view& text) {
  bool digits = std::isdigit(static_cast<unsigned char>(text[0])) != 0;
  size_t end = 1;
  while (end < text.size() && (std::isdigit(static_cast<unsigned char>(text[end])) != 0) == digits &&
         std::string_view(".-+_").find(text[end]) == std::string_view::npos)
    ++end;
  std::string_view part = text.substr(0, end);
  text.remove_prefix(end);
  return part;
}

std::string_view skip_separators(std::string_view text) {
  while (!text.empty() && std::string_view(".-+_").find(text[0]) != std::string_view::npos)
    text.remove_prefix(1);
  return text;
}

bool is_number(std::string_view part) {
  return !part.empty() && std::isdigit(static_cast<unsigned char>(part[0])) != 0;
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
  version = skip_separators(version);
  while (!version.empty() && result.size() < count && is_number(version)) {
    result.emplace_back(take_part(version));
    version = skip_separators(version);
  }
  return result;
}

bool satisfies_one(std::string_view version, std::string_view constraint) {
  auto rest = [&](size_t length) {
    std::string_view text = constraint.substr(length);
    while (!text.empty() && text[0] == ' ') text.remove_prefix(1);
    return text;
  };
  if (constraint.empty() || constraint == "*") return true;
  if (constraint.starts_with(">=")) return compare_versions(version, rest(2)) >= 0;
  if (constraint.starts_with("<=")) return compare_versions(version, rest(2)) <= 0;
  if (constraint.starts_with('>')) return compare_versions(version, rest(1)) > 0;
  if (constraint.starts_with('<')) return compare_versions(version, rest(1)) < 0;
  if (constraint.starts_with('=')) return compare_versions(version, rest(1)) == 0;
  if (constraint.starts_with('^') || constraint.starts_with('~')) {
    std::string_view base = rest(1);
    if (compare_versions(version, base) < 0) return false;
    auto numbers = leading_numbers(base, 3);
    // ^ keeps the first number that is not zero, ~ the first two (semver ranges).
    size_t kept = constraint[0] == '~' ? 2 : 1;
    if (constraint[0] == '^')
      while (kept < numbers.size() && numbers[kept - 1] == "0") ++kept;
    kept = std::min(kept, numbers.size());
    numbers.resize(kept);
    return leading_numbers(version, kept) == numbers;
  }
  if (version == constraint) return true;
  return version.size() > constraint.size() && version.starts_with(constraint) &&
         std::string_view(".-+").find(version[constraint.size()]) != std::string_view::npos;
}

}  // namespace

json PackageBuild::to_json() const {
  json paths = json::object();
  for (const auto& [output, path] : outputs) paths[output] = path.to_string();
  return {{"name", name},
          {"version", version},
          {"system", system},
          {"variant", variant},
          {"description", description},
          {"license", license},
          {"outputs", paths},
          {"signer", signer},
          {"closure_size", closure_size},
          {"published_at", published_at}};
}

PackageBuild PackageBuild::from_json(const json& document) {
  if (!document.is_object()) fail(ErrorKind::invalid_input, "a package build must be a JSON object");
  PackageBuild build;
  build.name = required(document, "name");
  check_name(build.name, "name", 128);
  build.version = required(document, "version");
  check_name(build.version, "version", 128);
  build.system = required(document, "system");
  if (build.system != "x86_64-linux" && build.system != "aarch64-linux")
    fail(ErrorKind::invalid_input, "'system': '{}' is neither x86_64-linux nor aarch64-linux", build.system);
  build.variant = document.value("variant", "");
  build.description = document.value("description", "");
  build.license = document.value("license", "");
  build.signer = document.value("signer", "");
  build.closure_size = document.value("closure_size", uint64_t{0});
  build.published_at = document.value("published_at", "");
  auto outputs = document.find("outputs");
  if (outputs == document.end() || !outputs->is_object() || outputs->empty())
    fail(ErrorKind::invalid_input, "'outputs' is missing or empty");
  for (const auto& [output, path] : outputs->items()) {
    if (!path.is_string()) fail(ErrorKind::invalid_input, "'outputs.{}' is no text", output);
    build.outputs.emplace(output, in_context("'outputs." + output + "'",
                                             [&] { return nix::StorePath::parse(path.get<std::string>()); }));
  }
  return build;
}

int compare_versions(std::string_view a, std::string_view b) {
  for (;;) {
    a = skip_separators(a);
    b = skip_separators(b);
    // A version that goes on with letters is a pre-release of the one that ends: 1.0-rc1 < 1.0 < 1.0.1.
    if (a.empty() && b.empty()) return 0;
    if (a.empty()) return is_number(b) ? -1 : 1;
    if (b.empty()) return is_number(a) ? 1 : -1;
    std::string_view part_a = take_part(a);
    std::string_view part_b = take_part(b);
    if (is_number(part_a) != is_number(part_b)) return is_number(part_a) ? 1 : -1;
    int order = is_number(part_a) ? compare_numbers(part_a, part_b) : part_a.compare(part_b);
    if (order != 0) return order < 0 ? -1 : 1;
  }
}

bool satisfies(std::string_view version, std::string_view constraint) {
  // Several constraints, all to be met: ">=1.2, <2".
  for (;;) {
    size_t comma = constraint.find(',');
    std::string_view one = constraint.substr(0, comma);
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
    if (!satisfies_one(version, one)) return false;
    if (comma == std::string_view::npos) return true;
    constraint.remove_prefix(comma + 1);
  }
}

}  // namespace flox::catalog
