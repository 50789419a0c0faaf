#include "trust/sbom/package_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "base/printable.h"
#include "trust/sbom/license.h"
#include "trust/sbom/purl.h"

namespace flox::trust {
namespace {

using nlohmann::json;

constexpr const char* file_name = "nix-support/package.json";
constexpr int64_t format = 1;
constexpr size_t most_packages = 1000;
constexpr size_t longest_member = 255;  // bytes

void check_name(const char* member, const std::string& text) {
  if (text.empty() || text.size() > longest_member ||
      !std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F; }))
    fail(ErrorKind::invalid_input, "{}: '{}' is not a name of 1 to {} printable ASCII characters", file_name,
         member, longest_member);
}

void check_members(const json& object, std::initializer_list<std::string_view> known) {
  if (!object.is_object()) fail(ErrorKind::invalid_input, "{}: a package is not an object", file_name);
  for (const auto& [name, value] : object.items())
    if (std::ranges::find(known, name) == known.end())
      fail(ErrorKind::invalid_input, "{}: unknown member '{}'", file_name, printable(name, 60));
}

PackageEntry entry_of(const json& object) {
  check_members(object, {"name", "version", "purl", "license", "source"});
  PackageEntry entry{.name = string_member(object, "name", file_name),
                     .version = string_member(object, "version", file_name),
                     .purl = string_member(object, "purl", file_name),
                     .license = optional_string(object, "license", file_name),
                     .source = optional_string(object, "source", file_name)};
  check_name("name", entry.name);
  check_name("version", entry.version);
  if (!is_purl(entry.purl)) fail(ErrorKind::invalid_input, "{}: 'purl' is not a package URL", file_name);
  if (object.contains("license") && !is_license_expression(entry.license))
    fail(ErrorKind::invalid_input, "{}: 'license' is not an SPDX expression of known licences", file_name);
  if (object.contains("source")) check_name("source", entry.source);
  return entry;
}

}  // namespace

PackageFile PackageFile::parse(std::string_view text) {
  const json document =
      parse_json(text, file_name, {.bytes = max_package_file, .depth = 4, .values = 8 * most_packages});
  check_members(document, {"format", "packages"});
  const json& number = member(document, "format", file_name);
  if (!number.is_number_integer() || number.get<int64_t>() != format)
    fail(ErrorKind::invalid_input, "{}: its format is not {}", file_name, format);
  const json& packages = member(document, "packages", file_name);
  if (!packages.is_array() || packages.empty() || packages.size() > most_packages)
    fail(ErrorKind::invalid_input, "{}: 'packages' is not a list of 1 to {}", file_name, most_packages);
  PackageFile result;
  result.packages.reserve(packages.size());
  for (const json& package : packages) result.packages.push_back(entry_of(package));
  return result;
}

std::string PackageFile::to_string() const {
  json list = json::array();
  for (const PackageEntry& package : packages) {
    json entry = {{"name", package.name}, {"version", package.version}, {"purl", package.purl}};
    if (!package.license.empty()) entry["license"] = package.license;
    if (!package.source.empty()) entry["source"] = package.source;
    list.push_back(std::move(entry));
  }
  return json{{"format", format}, {"packages", std::move(list)}}.dump(1) + "\n";
}

}  // namespace flox::trust
