#include "package/nix/flake.h"

#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "base/net/url.h"
#include "base/os/process.h"

namespace flox::package {
namespace {

constexpr JsonLimits nix_output{.bytes = 1 << 20, .depth = 8, .values = 10'000};
constexpr size_t longest_text = 4096;  // bytes

// What is said of the derivation, each a text.
constexpr const char* facts =
    "d: let m = d.meta or { }; l = m.license or \"\"; s = x: if builtins.isString x then x else \"\"; in { "
    "name = s (d.pname or \"\"); version = s (d.version or \"\"); system = s (d.system or \"\"); "
    "description = s (m.description or \"\"); license = if builtins.isAttrs l then s (l.spdxId or \"\") else "
    "\"\"; }";

bool has_nix() {
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const std::string directory(rest.substr(0, rest.find(':')));
    rest.remove_prefix(std::min(directory.size() + 1, rest.size()));
    if (!directory.empty() && ::access((directory + "/nix").c_str(), X_OK) == 0) return true;
  }
  return false;
}

std::string run_nix(std::vector<std::string> arguments, const std::filesystem::path& root) {
  std::vector<std::string> argv{"nix", "--extra-experimental-features", "nix-command flakes"};
  if (root != "/") argv.insert(argv.end(), {"--store", root.string()});
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_checked({.argv = std::move(argv)});
}

std::string fact(const nlohmann::json& json, const char* key) {
  std::string text = optional_string(json, key, "nix eval");
  if (text.size() > longest_text) text.resize(longest_text);
  return text;
}

}  // namespace

bool is_flake_reference(std::string_view text) noexcept {
  return text.find('#') != std::string_view::npos && !text.starts_with('-');
}

FlakeOutput build_flake_output(const std::string& reference, const std::filesystem::path& root) {
  if (!has_nix())
    throw Error(ErrorKind::unavailable,
                fmt::format("'{}' is a flake's output, and there is no nix here to evaluate it",
                            hide_login(reference)),
                "Build it where Nix is ('nix build --print-out-paths'), and import the store path that it "
                "prints.");
  return in_context("evaluating " + hide_login(reference), [&] {
    const auto built =
        parse_json(run_nix({"build", "--no-link", "--json", reference}, root), "nix build", nix_output);
    if (!built.is_array() || built.size() != 1 || !built[0].is_object())
      fail(ErrorKind::invalid_input, "it is not one derivation");
    const auto& outputs = member(built[0], "outputs", "nix build");
    if (!outputs.is_object() || outputs.empty()) fail(ErrorKind::invalid_input, "it has no outputs");
    FlakeOutput result;
    for (const auto& [name, path] : outputs.items()) {
      if (!path.is_string()) fail(ErrorKind::invalid_input, "output '{}' has no path", name);
      result.outputs.emplace(name, nix::StorePath::parse(path.get<std::string>()));
    }
    const auto said =
        parse_json(run_nix({"eval", "--json", reference, "--apply", facts}, root), "nix eval", nix_output);
    result.name = fact(said, "name");
    result.version = fact(said, "version");
    result.description = fact(said, "description");
    result.license = fact(said, "license");
    result.system = fact(said, "system");
    return result;
  });
}

}  // namespace flox::package
