#include "trust/sbom/spdx.h"

#include <fmt/format.h>

#include <iterator>
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

// One of the document's relationships, of which there are thousands: written as text, without a JSON value
// for each, which took a third of the time. Identifiers have nothing to escape (plain()).
void add_relationship(std::string& text, std::string_view from, std::string_view type, std::string_view to) {
  fmt::format_to(std::back_inserter(text),
                 "{}\n  {{\n   \"relatedSpdxElement\": \"{}\",\n   \"relationshipType\": \"{}\",\n"
                 "   \"spdxElementId\": \"{}\"\n  }}",
                 text.empty() ? "" : ",", to, type, from);
}

// The JSON object's text with one more member at its end, an array of these elements.
std::string with_array(std::string object, std::string_view name, std::string_view elements) {
  object.erase(object.rfind('\n'));  // and the closing brace
  object += fmt::format(",\n \"{}\": [", name);
  object += elements;
  object += "\n ]\n}\n";
  return object;
}

}  // namespace

std::string to_spdx(const Bill& bill, std::string_view created) {
  json packages = json::array();
  std::string relationships;
  for (const nix::StorePath& root : bill.roots)
    add_relationship(relationships, document_id, "DESCRIBES", id_of(root));
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
      add_relationship(relationships, id, "CONTAINS", part);
    }
    for (const nix::StorePath& reference : component.references)
      add_relationship(relationships, id, "DEPENDS_ON", id_of(reference));
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
      {"packages", std::move(packages)}};
  return with_array(document.dump(1), "relationships", relationships);
}

}  // namespace flox::trust
