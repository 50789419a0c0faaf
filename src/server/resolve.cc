#include "server/resolve.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "catalog/cpu_level.h"

namespace flox::server {
namespace {

using catalog::PackageBuild;
using nlohmann::json;

// Levenshtein's distance: how many letters to change, add or drop.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string suggestion(const Records& records, std::string_view name) {
  std::vector<std::pair<size_t, std::string>> near;
  for (auto& known : records.names()) {
    size_t edits = distance(name, known);
    if (edits <= std::max<size_t>(2, name.size() / 3) || known.find(name) != std::string::npos) near.emplace_back(edits, known);
  }
  std::ranges::sort(near);
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min<size_t>(near.size(), 3); ++i) names.push_back(near[i].second);
  return names.empty() ? "see what there is with: flox search TERM" : fmt::format("did you mean {}?", fmt::join(names, ", "));
}

json message(std::string_view type, std::string text, std::string advice) {
  return {{"level", "error"}, {"type", type}, {"message", std::move(text)}, {"context", {{"advice", std::move(advice)}}}};
}

// The record as an element of manifest.lock's "packages" (flox.md 2). Flox records the nixpkgs revision that a
// package came from; our packages come from no revision, so rev is the digest of the output, locked_url the
// catalog's page, and derivation the store path itself.
json locked_package(const PackageBuild& build, const std::string& install_id, const std::string& group, const std::string& base_url) {
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

// The newest version that satisfies, and of it the best variant that the CPU can run.
std::optional<PackageBuild> best(const std::vector<PackageBuild>& builds, std::string_view constraint, std::string_view system,
                                 std::string_view level) {
  std::optional<PackageBuild> found;
  for (const auto& build : builds) {  // newest first
    if (build.system != system || !catalog::satisfies(build.version, constraint)) continue;
    if (catalog::variant_rank(build.variant, level) < 0) continue;
    if (!found || (found->version == build.version &&
                   catalog::variant_rank(build.variant, level) > catalog::variant_rank(found->variant, level)))
      found = build;
  }
  return found;
}

json explain_miss(const Records& records, const std::vector<PackageBuild>& builds, const std::string& name, const std::string& version,
                  const std::string& system) {
  if (builds.empty()) return message("attr_path_not_found.not_in_catalog", "the catalog has no such package", suggestion(records, name));
  std::vector<std::string> versions;
  bool system_known = false;
  for (const auto& build : builds) {
    if (build.system != system) continue;
    system_known = true;
    if (versions.empty() || versions.back() != build.version) versions.push_back(build.version);
  }
  if (!system_known)
    return message("attr_path_not_found.systems_not_on_same_page", fmt::format("it is not published for {}", system),
                   "publish a build for that system");
  return message("version_not_found", version.empty() ? "no build of it runs on this CPU" : fmt::format("no published version satisfies '{}'", version),
                 fmt::format("published versions: {}", fmt::join(versions, ", ")));
}

}  // namespace

json resolve(const Records& records, const json& request, const std::string& base_url) {
  if (!request.is_object() || !request.value("items", json()).is_array()) fail(ErrorKind::invalid_input, "'items' is missing");
  json answer = {{"items", json::array()}};
  for (const auto& item : request["items"]) {
    json packages = json::array();
    json messages = json::array();
    std::string group = item.value("name", "toplevel");
    for (const auto& wanted : item.at("descriptors")) {
      std::string name = wanted.at("attr_path");
      std::string version = wanted.value("version", "");
      auto builds = records.builds(name);
      for (const std::string system : wanted.at("systems")) {
        auto found = best(builds, version, system, wanted.value("cpu_level", ""));
        if (found) packages.push_back(locked_package(*found, wanted.value("install_id", name), group, base_url));
        else messages.push_back(explain_miss(records, builds, name, version, system));
      }
    }
    bool complete = messages.empty();
    answer["items"].push_back({{"name", group},
                               {"page", {{"page", 1}, {"url", base_url}, {"packages", packages}, {"messages", messages}, {"complete", complete}}},
                               {"messages", messages}});
  }
  return answer;
}

}  // namespace flox::server
