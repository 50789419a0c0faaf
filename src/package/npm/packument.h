// What a registry of npm says of a package
// (https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md), and what a package says of
// itself (package.json).
#pragma once  // Fuzzed by fuzz/npm_packument.cc.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "nix/hash.h"
#include "package/npm/semver.h"

namespace flox::package {

// The type that is asked for: without readme and the like.
inline constexpr const char* packument_type = "application/vnd.npm.install-v1+json";

// "express", "@types/node": at most 214 bytes, each part the name of a file.
bool is_npm_name(std::string_view name) noexcept;

using NpmDependencies = std::map<std::string, std::string>;  // name → range, tag, "npm:NAME@RANGE" or URL

struct NpmRelease {
  NpmVersion version;
  std::string tarball;  // URL
  nix::Hash integrity;  // SHA-512
  NpmDependencies dependencies, optional, peers;
  std::set<std::string> optional_peers;
  std::vector<std::string> os, cpu, libc;  // as "linux" or "!win32"; empty: any
  bool deprecated = false;
  bool has_install_script = false;
};

struct Packument {
  std::map<std::string, std::string> tags;  // "latest" → version
  std::vector<NpmRelease> releases;         // the newest first

  // Releases without a SHA-512, or with a version, name or URL that nobody can read, are passed over. Throws
  // Error(invalid_input) for what is no such document of `name`.
  static Packument parse(std::string_view text, const std::string& name);
};

// What package.json says. Throws Error(invalid_input).
struct NpmManifest {
  std::string name, version, description;
  std::string license;                     // an SPDX expression, or empty
  std::map<std::string, std::string> bin;  // program → place in the package
  static NpmManifest parse(std::string_view text);
};

// The most bytes that a package.json may have.
inline constexpr size_t max_npm_manifest = 4 << 20;

// Whether a release says that it runs on Linux with this processor ("x64", "arm64") and glibc.
bool runs_here(const NpmRelease& release, std::string_view cpu);

}  // namespace flox::package
