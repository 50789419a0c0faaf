#include "env/project_files.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/data/json.h"
#include "base/data/toml.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os/directory.h"
#include "base/printable.h"
#include "base/wildcard.h"

namespace flox::env {
namespace {

// What a file calls for: packages, the language first; of one that has several names (in Debian, in Nixpkgs),
// they stand with | between them.
struct Sign {
  std::string_view file;  // a name, or a pattern with *
  std::string_view needs;
};

// In the order in which a person reads what was found. The first file that has a version says it.
constexpr Sign signs[] = {
    {".python-version", "python3"},
    {"pyproject.toml", "python3 python3-pip"},
    {"requirements*.txt", "python3 python3-pip"},
    {"setup.py", "python3 python3-pip"},
    {"Pipfile", "python3 python3-pip"},
    {".nvmrc", "nodejs"},
    {".node-version", "nodejs"},
    {"package.json", "nodejs npm"},
    {"yarn.lock", "yarnpkg|yarn"},
    {"go.mod", "golang-go|go"},
    {"Cargo.toml", "rustc cargo"},
    {"Gemfile", "ruby"},
    {"composer.json", "php8.2-cli|php-cli|php composer"},
    {"pom.xml", "default-jdk-headless|openjdk-17-jdk-headless|jdk maven"},
    {"build.gradle", "default-jdk-headless|openjdk-17-jdk-headless|jdk gradle"},
    {"build.gradle.kts", "default-jdk-headless|openjdk-17-jdk-headless|jdk gradle"},
    {"mix.exs", "elixir"},
    {"CMakeLists.txt", "cmake g++|gcc make|gnumake"},
    {"meson.build", "meson ninja-build|ninja gcc"},
    {"Makefile", "make|gnumake"},
};

constexpr size_t most_bytes = 1 << 20;   // of a file
constexpr size_t most_names = 100'000;   // in the directory
constexpr size_t most_characters = 100;  // of a version

std::string version_in_json(std::string_view text) {
  const nlohmann::json document = parse_json(text, "package.json", {.bytes = most_bytes, .depth = 32});
  const auto engines = document.is_object() ? document.find("engines") : document.end();
  return engines == document.end() || !engines->is_object() ? ""
                                                            : optional_string(*engines, "node", "engines");
}

std::string version_in_toml(std::string_view text) {
  const toml::table document = parse_toml(text, "pyproject.toml");
  return document["project"]["requires-python"].value_or(std::string());
}

// "v18.2"; what such files may name besides ("lts/*", "system", "pypy-3.9") is no version.
std::string version_on_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  while (!text.empty() && (text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  if (text.starts_with('v')) text.remove_prefix(1);
  const bool is_version = !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos;
  return is_version ? std::string(text) : std::string();
}

// What reads the version in a file of this name; null if such files have none.
using VersionReader = std::string (*)(std::string_view text);
VersionReader version_reader(std::string_view file) {
  if (file == "package.json") return version_in_json;
  if (file == "pyproject.toml") return version_in_toml;
  if (file == ".nvmrc" || file == ".node-version" || file == ".python-version") return version_on_line;
  return nullptr;
}

std::string read_version(const Directory& directory, const std::string& file) {
  if (version_reader(file) == nullptr) return {};
  try {
    return language_version(file, directory.read_file(file, most_bytes));
  } catch (const Error& error) {
    log::debug("{} is not read for a version: {}", file, error.what());
    return {};
  }
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    parts.emplace_back(text.substr(0, text.find(separator)));
    text.remove_prefix(std::min(parts.back().size() + 1, text.size()));
  }
  return parts;
}

void add(std::vector<SuggestedPackage>& suggested, const Sign& sign, const std::string& file,
         const std::string& version) {
  bool is_language = true;  // of which the file has the version
  for (const std::string& package : split(sign.needs, ' ')) {
    const std::vector<std::string> names = split(package, '|');
    const auto known = std::ranges::find(suggested, names, &SuggestedPackage::names);
    if (known == suggested.end())
      suggested.push_back({.names = names, .version = is_language ? version : "", .because = file});
    else if (is_language && known->version.empty())
      known->version = version;
    is_language = false;
  }
}

}  // namespace

std::string language_version(std::string_view file, std::string_view text) {
  const VersionReader read = version_reader(file);
  if (read == nullptr) return {};
  std::string version;
  try {
    version = read(text);
  } catch (const Error& error) {
    log::debug("{} has no version that can be read: {}", file, error.what());
  }
  return version.size() <= most_characters && printable(version) == version ? version : std::string();
}

std::vector<SuggestedPackage> suggested_packages(const std::filesystem::path& path) {
  const Directory directory(std::filesystem::canonical(path));
  const auto is_file = [&](const std::string& name) {
    const auto status = directory.status(name);
    return status && S_ISREG(status->st_mode);
  };
  const std::vector<std::string> names = directory.names(most_names);
  std::vector<SuggestedPackage> suggested;
  for (const Sign& sign : signs)
    for (const std::string& name : names)
      if (matches_wildcard(sign.file, name) && is_file(name))
        add(suggested, sign, name, read_version(directory, name));
  return suggested;
}

}  // namespace flox::env
