#include "package/debian/provenance.h"

#include <unistd.h>

#include <array>
#include <cctype>
#include <set>

#include "base/data/bytes.h"
#include "base/error.h"
#include "base/net/http_client.h"
#include "base/rfc3339.h"

namespace flox::package {
namespace {

trust::BuildInput deb_input(Debian& debian, const trust::PackageEntry& entry,
                            const std::map<std::string, std::string>& urls) {
  const DebianPackage& package = debian.package(entry.name);
  trust::BuildInput input{
      .name = entry.name,
      .uri = {},
      .digests = {},
      .notes = {{"version", entry.version},
                {"purl", entry.purl},
                {"source", entry.source.empty() ? entry.name : entry.source},
                {"snapshot", "https://snapshot.debian.org/binary/" + url_encode(entry.name) + "/"}}};
  const auto url = urls.find(entry.name);
  if (debian.from_installed(entry.name) || package.version != entry.version || package.sha256.empty()) {
    input.notes.emplace("from", "installed files");
    return input;
  }
  input.digests.emplace("sha256", package.sha256);
  if (url != urls.end()) input.uri = url->second;
  return input;
}

}  // namespace

std::string this_builder() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  std::string result = "urn:flox-imageless:builder:";
  for (const char c : std::string_view(name.data()))
    result += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' ? c : '-';
  return result;
}

trust::BuildInput path_input(const store::LocalStore& store, const nix::StorePath& path, const char* role) {
  const auto info = store.query(path);
  if (!info) fail(ErrorKind::not_found, "{} has been collected meanwhile", path.to_string());
  return {.name = path.to_string(),
          .uri = {},
          .digests = {{"sha256", to_hex(bytes_of(info->nar_hash))}},
          .notes = {{"role", role}}};
}

trust::BuildProvenance describe_import(const store::LocalStore& store, Debian& debian,
                                       const catalog::PackageBuild& build,
                                       const std::vector<trust::PackageEntry>& packages,
                                       std::time_t started_at) {
  return in_context("recording the provenance of " + build.name, [&] {
    const nix::StorePath& path = build.outputs.at("out");
    const auto info = store.query(path);
    if (!info) fail(ErrorKind::not_found, "{} has been collected meanwhile", path.to_string());
    trust::BuildProvenance provenance{.path = path, .nar_hash = info->nar_hash};
    provenance.build_type = deb_import_type;
    provenance.package = build.name;
    provenance.version = build.version;
    provenance.system = build.system;
    provenance.command = "flox import deb " + build.name;
    provenance.sandbox = "none";
    provenance.builder = this_builder();
    provenance.builder_version = FLOX_VERSION;
    provenance.started_at = rfc3339(started_at);
    provenance.finished_at = rfc3339(std::time(nullptr));
    std::set<std::string> names;
    for (const trust::PackageEntry& entry : packages) names.insert(entry.name);
    debian.load(names);
    const auto urls = debian.urls(names);
    for (const trust::PackageEntry& entry : packages)
      provenance.inputs.push_back(deb_input(debian, entry, urls));
    for (const nix::StorePath& reference : info->references)
      if (reference != path) provenance.inputs.push_back(path_input(store, reference, "runtime"));
    if (provenance.inputs.size() > trust::BuildProvenance::most_inputs)
      fail(ErrorKind::invalid_input, "it has {} inputs; provenance holds {}", provenance.inputs.size(),
           trust::BuildProvenance::most_inputs);
    return provenance;
  });
}

}  // namespace flox::package
