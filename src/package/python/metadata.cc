#include "package/python/metadata.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/letter_case.h"
#include "base/os/directory.h"
#include "base/printable.h"
#include "trust/sbom/license.h"

namespace flox::package {
namespace {

constexpr size_t most_requirements = 4000;
constexpr size_t most_scripts = 2000;
constexpr size_t longest_summary = 1024;  // bytes

std::string_view without_spaces(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r"), text.size()));
  return text.substr(0, text.find_last_not_of(" \t\r") + 1);
}

// Calls `body` with each line, without its end.
template <typename Body>
void each_line(std::string_view text, const Body& body) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (!body(text.substr(0, end))) return;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::optional<unsigned> small_number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > 10'000) return std::nullopt;
  return value;
}

// "3.12" of "cp312", "12" of "py312"; nothing for another interpreter.
std::optional<unsigned> minor_of(std::string_view tag, std::string_view prefix) {
  if (!tag.starts_with(prefix)) return std::nullopt;
  return small_number(tag.substr(prefix.size()));
}

// The glibc that a platform's wheels were made for: 2.N; 0 for "any" and for plain Linux.
std::optional<unsigned> glibc_of(std::string_view platform, const std::string& architecture) {
  if (platform == "any") return 0;
  if (!platform.ends_with("_" + architecture)) return std::nullopt;
  platform.remove_suffix(architecture.size() + 1);
  if (platform == "linux") return 0;
  if (platform == "manylinux1") return 5;
  if (platform == "manylinux2010") return 12;
  if (platform == "manylinux2014") return 17;
  constexpr std::string_view many = "manylinux_2_";
  return platform.starts_with(many) ? small_number(platform.substr(many.size())) : std::nullopt;
}

// How well an interpreter and an ABI fit together.
std::optional<int> interpreter_fitness(const std::string& python, const std::string& abi, unsigned minor) {
  const auto cpython = minor_of(python, "cp3");
  if (cpython && abi == fmt::format("cp3{}", minor) && *cpython == minor) return 3;
  if (cpython && abi == "abi3" && *cpython <= minor) return 2;
  if (abi != "none") return std::nullopt;
  if (cpython && *cpython == minor) return 1;
  if (python == "py3") return 0;
  const auto generic = minor_of(python, "py3");
  return generic && *generic <= minor ? std::optional(0) : std::nullopt;
}

bool is_identifier_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
// "flask.cli": it becomes part of a program.
bool is_dotted_name(std::string_view text) {
  if (text.empty() || text.size() > 255) return false;
  const auto parts = split(text, '.');
  return std::ranges::all_of(parts, [](const std::string& part) {
    return !part.empty() && !(part[0] >= '0' && part[0] <= '9') &&
           std::ranges::all_of(part, is_identifier_character);
  });
}
// A program's name, which becomes a file in bin and a word of a script.
bool is_script_name(std::string_view name) {
  return is_file_name(name) && name.size() <= 100 && name.front() != '-' && name.front() != '.' &&
         std::ranges::all_of(
             name, [](char c) { return is_identifier_character(c) || c == '-' || c == '.' || c == '+'; });
}

void take_header(PythonMetadata& metadata, std::string_view field, std::string_view value) {
  if (is_same_in_any_case(field, "Name")) {
    metadata.name = value;
  } else if (is_same_in_any_case(field, "Version")) {
    metadata.version = PythonVersion::parse(value);
  } else if (is_same_in_any_case(field, "Summary")) {
    metadata.summary = printable(value, longest_summary);
  } else if (is_same_in_any_case(field, "License-Expression") ||
             (is_same_in_any_case(field, "License") && metadata.license.empty())) {
    if (trust::is_license_expression(value)) metadata.license = value;
  } else if (is_same_in_any_case(field, "Requires-Python")) {
    metadata.python = PythonSpecifiers::parse(value);
  } else if (is_same_in_any_case(field, "Requires-Dist")) {
    if (metadata.requirements.size() == most_requirements)
      fail(ErrorKind::invalid_input, "METADATA: more than {} requirements", most_requirements);
    metadata.requirements.push_back(PythonRequirement::parse(value));
  }
}

}  // namespace

PythonMetadata PythonMetadata::parse(std::string_view text) {
  if (text.size() > max_python_metadata)
    fail(ErrorKind::invalid_input, "METADATA has more than {} bytes", max_python_metadata);
  PythonMetadata metadata;
  bool has_version = false;
  std::string field, value;
  const auto end_field = [&] {
    if (field.empty()) return;
    has_version = has_version || is_same_in_any_case(field, "Version");
    in_context("METADATA: " + printable(field, 40), [&] { take_header(metadata, field, value); });
    field.clear();
  };
  each_line(text, [&](std::string_view line) {
    if (without_spaces(line).empty()) return false;  // the description follows
    if (line.front() == ' ' || line.front() == '\t') {
      value += ' ';
      value += without_spaces(line);
      return true;
    }
    end_field();
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos)
      fail(ErrorKind::invalid_input, "METADATA: '{}' is not a field", printable(line, 60));
    field = line.substr(0, colon);
    value = without_spaces(line.substr(colon + 1));
    return true;
  });
  end_field();
  if (!is_project_name(metadata.name) || !has_version)
    fail(ErrorKind::invalid_input, "METADATA has no name or no version");
  return metadata;
}

std::optional<WheelName> WheelName::find(std::string_view file_name) {
  if (!file_name.ends_with(".whl") || file_name.size() > 1024) return std::nullopt;
  const auto parts = split(file_name.substr(0, file_name.size() - 4), '-');
  if (parts.size() != 5 && parts.size() != 6) return std::nullopt;
  if (!is_project_name(parts[0])) return std::nullopt;
  const auto version = PythonVersion::find(parts[1]);
  if (!version) return std::nullopt;
  const size_t tags = parts.size() - 3;
  return WheelName{.project = normalized_project(parts[0]),
                   .version = *version,
                   .build = parts.size() == 6 ? parts[2] : "",
                   .python = split(parts[tags], '.'),
                   .abi = split(parts[tags + 1], '.'),
                   .platform = split(parts[tags + 2], '.')};
}

MarkerEnvironment PythonTarget::markers() const {
  return {{"python_version", fmt::format("3.{}", minor)},
          {"python_full_version", full_version},
          {"os_name", "posix"},
          {"sys_platform", "linux"},
          {"platform_release", ""},
          {"platform_system", "Linux"},
          {"platform_version", ""},
          {"platform_machine", architecture},
          {"platform_python_implementation", "CPython"},
          {"implementation_name", "cpython"},
          {"implementation_version", full_version}};
}

std::string PythonTarget::python_directory() const { return fmt::format("python3.{}", minor); }

std::optional<int> fitness(const WheelName& wheel, const PythonTarget& target) {
  std::optional<int> best;
  for (const std::string& platform : wheel.platform) {
    const auto glibc = glibc_of(platform, target.architecture);
    if (!glibc || *glibc > target.glibc_minor) continue;
    for (const std::string& python : wheel.python)
      for (const std::string& abi : wheel.abi)
        if (const auto fits = interpreter_fitness(python, abi, target.minor))
          best = std::max(best.value_or(0),
                          *fits * 20'000 + (platform == "any" ? 0 : 10'000) + static_cast<int>(*glibc));
  }
  return best;
}

std::vector<ConsoleScript> parse_entry_points(std::string_view text) {
  std::vector<ConsoleScript> scripts;
  bool wanted = false;
  each_line(text, [&](std::string_view line) {
    line = without_spaces(line);
    if (line.empty() || line.front() == '#' || line.front() == ';') return true;
    if (line.front() == '[') {
      wanted = line == "[console_scripts]" || line == "[gui_scripts]";
      return true;
    }
    if (!wanted) return true;
    const size_t equals = line.find('=');
    ConsoleScript script{.name = std::string(without_spaces(line.substr(0, equals)))};
    std::string_view object = equals == std::string_view::npos ? "" : without_spaces(line.substr(equals + 1));
    object = without_spaces(object.substr(0, object.find('[')));  // extras, which the requirement names
    const size_t colon = object.find(':');
    script.module = without_spaces(object.substr(0, colon));
    script.attribute = colon == std::string_view::npos ? "" : without_spaces(object.substr(colon + 1));
    if (!is_script_name(script.name) || !is_dotted_name(script.module) || !is_dotted_name(script.attribute) ||
        scripts.size() == most_scripts)
      fail(ErrorKind::invalid_input, "entry_points.txt: '{}' is not a program", printable(line, 80));
    scripts.push_back(std::move(script));
    return true;
  });
  return scripts;
}

}  // namespace flox::package
