#include "trust/sbom/cyclonedx.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/data/bytes.h"

namespace flox::trust {
namespace {

using nlohmann::json;

// The bill's own subject; store paths begin with a digest.
constexpr const char* subject = "subject";

json component_of(const PackageEntry& entry, const char* type, std::string reference) {
  json component = {
      {"type", type}, {"bom-ref", std::move(reference)}, {"name", entry.name}, {"purl", entry.purl}};
  if (!entry.version.empty()) component["version"] = entry.version;
  if (!entry.license.empty()) component["licenses"] = json::array({{{"expression", entry.license}}});
  if (!entry.source.empty())
    component["properties"] = json::array({{{"name", "flox:source-package"}, {"value", entry.source}}});
  return component;
}

json dependency(std::string reference, const nix::StorePathSet& paths) {
  json names = json::array();
  for (const nix::StorePath& path : paths) names.push_back(path.base_name());
  return {{"ref", std::move(reference)}, {"dependsOn", std::move(names)}};
}

}  // namespace

std::string to_cyclonedx(const Bill& bill, std::string_view created) {
  json components = json::array();
  json dependencies = json::array({dependency(subject, bill.roots)});
  for (const Component& store_path : bill.components) {
    const std::string& reference = store_path.path.base_name();
    json component = component_of(
        store_path.package, bill.roots.contains(store_path.path) ? "application" : "library", reference);
    component["hashes"] =
        json::array({{{"alg", "SHA-256"}, {"content", to_hex(bytes_of(store_path.nar_hash))}}});
    json& properties = component["properties"];
    properties.push_back({{"name", "flox:store-path"}, {"value", store_path.path.to_string()}});
    properties.push_back({{"name", "flox:nar-size"}, {"value", std::to_string(store_path.nar_size)}});
    for (size_t i = 0; i < store_path.merged.size(); ++i)
      component["components"].push_back(
          component_of(store_path.merged[i], "library", fmt::format("{}/merged-{}", reference, i + 1)));
    components.push_back(std::move(component));
    dependencies.push_back(dependency(reference, store_path.references));
  }
  const json document = {
      {"bomFormat", "CycloneDX"},
      {"specVersion", "1.6"},
      {"serialNumber", "urn:uuid:" + document_uuid(bill, created)},
      {"version", 1},
      {"metadata",
       {{"timestamp", created},
        {"tools",
         {{"components",
           json::array({{{"type", "application"}, {"name", "flox-imageless"}, {"version", FLOX_VERSION}}})}}},
        {"component", {{"type", "application"}, {"bom-ref", subject}, {"name", bill.name}}}}},
      {"components", std::move(components)},
      {"dependencies", std::move(dependencies)}};
  return document.dump(1) + "\n";
}

}  // namespace flox::trust
