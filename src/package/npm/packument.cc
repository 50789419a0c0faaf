#include "package/npm/packument.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "base/net/url.h"
#include "base/os/directory.h"
#include "base/printable.h"
#include "trust/sbom/license.h"

namespace flox::package {
namespace {

using nlohmann::json;

constexpr JsonLimits packument_limits{.bytes = size_t{128} << 20, .depth = 32, .values = size_t{8} << 20};
constexpr JsonLimits manifest_limits{.bytes = max_npm_manifest, .depth = 64, .values = 200'000};
constexpr size_t most_dependencies = 2000;
constexpr size_t most_bins = 500;
constexpr size_t longest_spec = 4096;         // bytes
constexpr size_t longest_description = 1024;  // bytes

const json* object_at(const json& document, const char* key) {
  const auto found = document.find(key);
  return found != document.end() && found->is_object() ? &*found : nullptr;
}

NpmDependencies dependencies_in(const json& release, const char* key) {
  NpmDependencies result;
  const json* object = object_at(release, key);
  if (object == nullptr) return result;
  if (object->size() > most_dependencies) fail(ErrorKind::invalid_input, "'{}' has too many members", key);
  for (const auto& [name, spec] : object->items()) {
    if (!is_npm_name(name) || !spec.is_string() || spec.get_ref<const std::string&>().size() > longest_spec)
      fail(ErrorKind::invalid_input, "'{}' has something other than a package", key);
    result.emplace(name, spec.get<std::string>());
  }
  return result;
}

std::vector<std::string> words_in(const json& release, const char* key) {
  std::vector<std::string> words;
  const auto found = release.find(key);
  if (found == release.end()) return words;
  if (found->is_string()) return {found->get<std::string>()};
  if (!found->is_array() || found->size() > 100) return words;
  for (const json& word : *found)
    if (word.is_string()) words.push_back(word.get<std::string>());
  return words;
}

// "sha512-BASE64 sha1-…": the SHA-512.
std::optional<nix::Hash> sha512_in(std::string_view integrity) {
  while (!integrity.empty()) {
    const std::string_view one = integrity.substr(0, integrity.find(' '));
    integrity.remove_prefix(std::min(one.size() + 1, integrity.size()));
    if (one.starts_with("sha512-")) return nix::Hash::parse(one.substr(0, one.find('?')));
  }
  return std::nullopt;
}

std::optional<NpmRelease> release_of(const std::string& version, const json& document) {
  const auto number = NpmVersion::find(version);
  const json* dist = document.is_object() ? object_at(document, "dist") : nullptr;
  if (!number || dist == nullptr) return std::nullopt;
  try {
    const auto integrity = sha512_in(optional_string(*dist, "integrity", "dist"));
    if (!integrity) return std::nullopt;
    NpmRelease release{.version = *number,
                       .tarball = HttpUrl::parse(string_member(*dist, "tarball", "dist")).to_string(),
                       .integrity = *integrity,
                       .dependencies = dependencies_in(document, "dependencies"),
                       .optional = dependencies_in(document, "optionalDependencies"),
                       .peers = dependencies_in(document, "peerDependencies"),
                       .optional_peers = {},
                       .os = words_in(document, "os"),
                       .cpu = words_in(document, "cpu"),
                       .libc = words_in(document, "libc")};
    if (const json* meta = object_at(document, "peerDependenciesMeta"))
      for (const auto& [name, about] : meta->items())
        if (about.is_object() && about.value("optional", json()) == json(true))
          release.optional_peers.insert(name);
    for (const auto& [name, spec] : release.optional) release.dependencies.erase(name);
    const auto deprecated = document.find("deprecated");
    release.deprecated = deprecated != document.end() && deprecated->is_string() && !deprecated->empty();
    release.has_install_script = document.value("hasInstallScript", json()) == json(true);
    return release;
  } catch (const Error&) {  // "passed over" (the header)
    return std::nullopt;
  }
}

bool is_program_name(std::string_view name) {
  return is_file_name(name) && name.size() <= 100 && name.front() != '-' && name.front() != '.' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                  c == '.' || c == '_' || c == '+';
         });
}

// "./bin/x.js" → "bin/x.js". Throws for what leads out of the package.
std::string place_in_package(const std::string& text) {
  std::string place = std::filesystem::path(text).lexically_normal().string();
  if (place.empty() || place.size() > 1024 || place.starts_with('/') || place == "." ||
      place.starts_with(".."))
    fail(ErrorKind::invalid_input, "package.json: 'bin': '{}' is not a file of the package",
         printable(text, 80));
  return place;
}

bool admits_word(const std::vector<std::string>& words, std::string_view word) {
  bool any_positive = false, found = false;
  for (const std::string& one : words) {
    if (one.starts_with('!')) {
      if (one.substr(1) == word) return false;
    } else {
      any_positive = true;
      found = found || one == word || one == "any";
    }
  }
  return found || !any_positive;
}

}  // namespace

bool is_npm_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > 214) return false;
  const auto is_part = [](std::string_view part) {
    return !part.empty() && part.front() != '.' && part.front() != '_' && part.front() != '-' &&
           std::ranges::all_of(part, [](char c) {
             return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                    c == '.' || c == '_' || c == '~';
           });
  };
  if (!name.starts_with('@')) return is_part(name);
  const size_t slash = name.find('/');
  return slash != std::string_view::npos && is_part(name.substr(1, slash - 1)) &&
         is_part(name.substr(slash + 1));
}

Packument Packument::parse(std::string_view text, const std::string& name) {
  const json document = parse_json(text, "the registry's document", packument_limits);
  return in_context("the registry's document", [&] {
    if (!document.is_object() || optional_string(document, "name", "the document") != name)
      fail(ErrorKind::invalid_input, "it is not that of {}", name);
    Packument packument;
    if (const json* tags = object_at(document, "dist-tags"))
      for (const auto& [tag, version] : tags->items())
        if (version.is_string()) packument.tags.emplace(tag, version.get<std::string>());
    if (const json* versions = object_at(document, "versions"))
      for (const auto& [version, release] : versions->items())
        if (auto read = release_of(version, release)) packument.releases.push_back(*std::move(read));
    std::ranges::sort(packument.releases,
                      [](const NpmRelease& a, const NpmRelease& b) { return a.version > b.version; });
    return packument;
  });
}

NpmManifest NpmManifest::parse(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // as node does
  const json document = parse_json(text, "package.json", manifest_limits);
  return in_context("package.json", [&] {
    NpmManifest manifest{.name = string_member(document, "name", "package.json"),
                         .version = string_member(document, "version", "package.json")};
    if (!is_npm_name(manifest.name)) fail(ErrorKind::invalid_input, "'name' is not a package's");
    if (const auto found = document.find("description"); found != document.end() && found->is_string())
      manifest.description = printable(found->get<std::string>(), longest_description);
    if (const auto found = document.find("license"); found != document.end() && found->is_string() &&
                                                     trust::is_license_expression(found->get<std::string>()))
      manifest.license = found->get<std::string>();
    const auto bin = document.find("bin");
    if (bin == document.end()) return manifest;
    if (bin->is_string()) {
      manifest.bin.emplace(manifest.name.substr(manifest.name.rfind('/') + 1),
                           place_in_package(bin->get<std::string>()));
    } else if (bin->is_object() && bin->size() <= most_bins) {
      for (const auto& [program, place] : bin->items()) {
        if (!place.is_string()) fail(ErrorKind::invalid_input, "'bin' has something other than files");
        manifest.bin.emplace(program, place_in_package(place.get<std::string>()));
      }
    }
    for (const auto& [program, place] : manifest.bin)
      if (!is_program_name(program))
        fail(ErrorKind::invalid_input, "'bin': '{}' cannot be the name of a program", printable(program, 60));
    return manifest;
  });
}

bool runs_here(const NpmRelease& release, std::string_view cpu) {
  return admits_word(release.os, "linux") && admits_word(release.cpu, cpu) &&
         admits_word(release.libc, "glibc");
}

}  // namespace flox::package
