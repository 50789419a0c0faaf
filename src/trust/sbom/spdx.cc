#include "trust/sbom/spdx.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/data/bytes.h"

namespace flox::trust {
namespace {

using nlohmann::json;

constexpr const char* unknown = "NOASSERTION";
constexpr const char* document_id = "SPDXRef-DOCUMENT";

// What identifiers and the document's namespace may have: letters, digits, '.' and '-'.
std::string plain(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.')) c = '-';
  return result;
}

std::string id_of(const nix::StorePath& path) { return "SPDXRef-" + plain(path.base_name()); }

json package_of(const PackageEntry& entry, std::string id) {
  json package = {{"SPDXID", std::move(id)},
                  {"name", entry.name},
                  {"downloadLocation", unknown},
                  {"filesAnalyzed", false},
                  {"licenseConcluded", unknown},
                  {"licenseDeclared", entry.license.empty() ? unknown : entry.license},
                  {"copyrightText", unknown},
                  {"externalRefs", json::array({{{"referenceCategory", "PACKAGE-MANAGER"},
                                                 {"referenceType", "purl"},
                                                 {"referenceLocator", entry.purl}}})}};
  if (!entry.version.empty()) package["versionInfo"] = entry.version;
  if (!entry.source.empty()) package["sourceInfo"] = "built from the source package " + entry.source;
  package["supplier"] = entry.purl.starts_with("pkg:deb/debian/") ? "Organization: Debian" : unknown;
  return package;
}

json relationship(std::string from, const char* type, std::string to) {
  return {
      {"spdxElementId", std::move(from)}, {"relationshipType", type}, {"relatedSpdxElement", std::move(to)}};
}

}  // namespace

std::string to_spdx(const Bill& bill, std::string_view created) {
  json packages = json::array();
  json relationships = json::array();
  for (const nix::StorePath& root : bill.roots)
    relationships.push_back(relationship(document_id, "DESCRIBES", id_of(root)));
  for (const Component& component : bill.components) {
    const std::string id = id_of(component.path);
    json package = package_of(component.package, id);
    package["packageFileName"] = component.path.to_string();
    package["checksums"] =
        json::array({{{"algorithm", "SHA256"}, {"checksumValue", to_hex(bytes_of(component.nar_hash))}}});
    package["comment"] = fmt::format("The checksum is of the NAR, of {} bytes.", component.nar_size);
    packages.push_back(std::move(package));
    for (size_t i = 0; i < component.merged.size(); ++i) {
      const std::string part = fmt::format("{}-merged-{}", id, i + 1);
      packages.push_back(package_of(component.merged[i], part));
      relationships.push_back(relationship(id, "CONTAINS", part));
    }
    for (const nix::StorePath& reference : component.references)
      relationships.push_back(relationship(id, "DEPENDS_ON", id_of(reference)));
  }
  const json document = {
      {"spdxVersion", "SPDX-2.3"},
      {"dataLicense", "CC0-1.0"},
      {"SPDXID", document_id},
      {"name", bill.name},
      {"documentNamespace",
       fmt::format("https://spdx.org/spdxdocs/{}-{}", plain(bill.name), document_uuid(bill, created))},
      {"creationInfo",
       {{"created", created}, {"creators", json::array({"Tool: flox-imageless-" FLOX_VERSION})}}},
      {"packages", std::move(packages)},
      {"relationships", std::move(relationships)}};
  return document.dump(1) + "\n";
}

}  // namespace flox::trust
