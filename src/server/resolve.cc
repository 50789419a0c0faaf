#include "server/resolve.h"

#include <fmt/ranges.h>

#include <optional>

#include "base/error.h"
#include "catalog/cpu_level.h"
#include "server/suggest.h"

namespace flox::server {
namespace {

using catalog::PackageBuild;
using nlohmann::json;

constexpr size_t most_descriptors = 1000;  // in one request: each is a query

// A request's members, read strictly: what is ill-typed is named.
const json& member(const json& object, const char* key) {
  if (!object.is_object())
    fail(ErrorKind::invalid_input, "an object with '{}' is expected, not {}", key, object.dump());
  static const json none;
  auto it = object.find(key);
  return it == object.end() ? none : *it;
}
std::string text(const json& object, const char* key, const char* otherwise = nullptr) {
  const json& value = member(object, key);
  if (value.is_null() && otherwise != nullptr) return otherwise;
  if (!value.is_string()) fail(ErrorKind::invalid_input, "'{}' is missing or no text", key);
  return value.get<std::string>();
}
const json& list(const json& object, const char* key) {
  const json& value = member(object, key);
  if (!value.is_array()) fail(ErrorKind::invalid_input, "'{}' is missing or no list", key);
  return value;
}

// One element of "descriptors".
struct Wanted {
  std::string install_id;
  std::string name;
  std::string constraint;
  std::string cpu_level;
  bool allow_pre_releases = false;
  std::vector<std::string> systems;

  static Wanted from(const json& descriptor) {
    Wanted wanted;
    wanted.name = text(descriptor, "attr_path");
    wanted.install_id = text(descriptor, "install_id", wanted.name.c_str());
    wanted.constraint = text(descriptor, "version", "");
    wanted.cpu_level = text(descriptor, "cpu_level", "");
    const json& allow = member(descriptor, "allow_pre_releases");
    if (!allow.is_null() && !allow.is_boolean())
      fail(ErrorKind::invalid_input, "'allow_pre_releases' is neither true nor false");
    wanted.allow_pre_releases = allow.is_boolean() && allow.get<bool>();
    for (const auto& system : list(descriptor, "systems")) {
      if (!system.is_string()) fail(ErrorKind::invalid_input, "'systems' holds something that is no text");
      wanted.systems.push_back(system.get<std::string>());
    }
    return wanted;
  }
};

json message(std::string_view type, std::string text, std::string advice) {
  return {{"level", "error"},
          {"type", type},
          {"message", std::move(text)},
          {"context", {{"advice", std::move(advice)}}}};
}

// The record as an element of manifest.lock's "packages" (flox.md 2). Flox records the nixpkgs revision that
// a package came from; our packages come from no revision, so rev is the digest of the output, locked_url the
// catalog's page, and derivation the store path itself.
json locked_package(const PackageBuild& build, const std::string& install_id, const std::string& group,
                    const std::string& base_url) {
  json outputs = json::object();
  json names = json::array();
  for (const auto& [output, path] : build.outputs) {
    outputs[output] = path.to_string();
    names.push_back(output);
  }
  const auto& main = build.outputs.contains("out") ? build.outputs.at("out") : build.outputs.begin()->second;
  json package = {{"attr_path", build.name},
                  {"broken", false},
                  {"derivation", main.to_string()},
                  {"description", build.description},
                  {"install_id", install_id},
                  {"locked_url", base_url + "/api/v1/catalog/packages/" + build.name},
                  {"name", build.name + "-" + build.version},
                  {"pname", build.name},
                  {"rev", main.digest()},
                  {"rev_count", 0},
                  {"rev_date", build.published_at},
                  {"scrape_date", build.published_at},
                  {"stabilities", {"stable"}},
                  {"unfree", false},
                  {"version", build.version},
                  {"outputs_to_install", names},
                  {"outputs", outputs},
                  {"system", build.system},
                  {"group", group},
                  {"priority", 5}};
  package["license"] = build.license.empty() ? json() : json(build.license);
  if (!build.variant.empty()) package["variant"] = build.variant;
  return package;
}

// The newest version that satisfies, and of it the best variant that the CPU can run. Versions that lead up
// to a release are taken only if they are allowed, or nothing else satisfies.
std::optional<PackageBuild> best(const std::vector<PackageBuild>& builds, const Wanted& wanted,
                                 std::string_view system) {
  auto among = [&](bool pre_releases) {
    std::optional<PackageBuild> found;
    for (const auto& build : builds) {  // newest first
      int rank = catalog::variant_rank(build.variant, wanted.cpu_level);
      if (build.system != system || rank < 0 || !catalog::satisfies(build.version, wanted.constraint))
        continue;
      if (!pre_releases && catalog::is_pre_release(build.version)) continue;
      if (!found ||
          (found->version == build.version && rank > catalog::variant_rank(found->variant, wanted.cpu_level)))
        found = build;
    }
    return found;
  };
  auto found = among(wanted.allow_pre_releases);
  return found || wanted.allow_pre_releases ? found : among(true);
}

json explain_miss(const Records& records, const std::vector<PackageBuild>& builds, const Wanted& wanted,
                  const std::string& system) {
  if (builds.empty())
    return message("attr_path_not_found.not_in_catalog", "the catalog has no such package",
                   advice_for_unknown(wanted.name, records.names()));
  std::vector<std::string> versions;
  std::vector<std::string> variants;  // of versions that would satisfy
  for (const auto& build : builds) {
    if (build.system != system) continue;
    if (versions.empty() || versions.back() != build.version) versions.push_back(build.version);
    if (catalog::satisfies(build.version, wanted.constraint))
      variants.push_back(fmt::format("{} ({})", build.version, build.variant));
  }
  if (versions.empty())
    return message("attr_path_not_found.systems_not_on_same_page",
                   fmt::format("it is not published for {}", system), "publish a build for that system");
  if (!variants.empty())
    return message("constraints_too_tight",
                   fmt::format("no build of it runs on a CPU of level {}",
                               wanted.cpu_level.empty() ? "unknown" : wanted.cpu_level),
                   fmt::format("published builds: {}; publish one without --variant for other CPUs",
                               fmt::join(variants, ", ")));
  return message("version_not_found", fmt::format("no published version satisfies '{}'", wanted.constraint),
                 fmt::format("published versions: {}", fmt::join(versions, ", ")));
}

}  // namespace

json resolve(const Records& records, const json& request, const std::string& base_url) {
  json answer = {{"items", json::array()}};
  size_t descriptors = 0;
  for (const auto& item : list(request, "items")) {
    json packages = json::array();
    json messages = json::array();
    std::string group = text(item, "name", "toplevel");
    for (const auto& descriptor : list(item, "descriptors")) {
      if (++descriptors > most_descriptors)
        fail(ErrorKind::invalid_input, "at most {} descriptors are resolved at once", most_descriptors);
      Wanted wanted = Wanted::from(descriptor);
      auto builds = records.builds(wanted.name);
      for (const auto& system : wanted.systems) {
        auto found = best(builds, wanted, system);
        if (found)
          packages.push_back(locked_package(*found, wanted.install_id, group, base_url));
        else
          messages.push_back(explain_miss(records, builds, wanted, system));
      }
    }
    bool complete = messages.empty();
    answer["items"].push_back({{"name", group},
                               {"page",
                                {{"page", 1},
                                 {"url", base_url},
                                 {"packages", packages},
                                 {"messages", messages},
                                 {"complete", complete}}},
                               {"messages", messages}});
  }
  return answer;
}

}  // namespace flox::server
