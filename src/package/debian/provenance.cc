#include "package/debian/provenance.h"

#include <set>

#include "base/error.h"
#include "base/net/http_client.h"
#include "package/record/provenance.h"

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

trust::BuildProvenance describe_import(const store::LocalStore& store, Debian& debian,
                                       const catalog::PackageBuild& build,
                                       const std::vector<trust::PackageEntry>& packages,
                                       std::time_t started_at) {
  return in_context("recording the provenance of " + build.name, [&] {
    const nix::PathInfo info = info_of_input(store, build.outputs.at("out"));
    trust::BuildProvenance provenance = begin_provenance(info, build, started_at);
    provenance.build_type = deb_import_type;
    provenance.command = "flox import deb " + build.name;
    if (debian.source().kind == DebianSource::Kind::repository && debian.source().sources.empty())
      provenance.command += " --suite " + debian.source().suite;
    std::set<std::string> names;
    for (const trust::PackageEntry& entry : packages) names.insert(entry.name);
    debian.load(names);
    const auto urls = debian.urls(names);
    for (const trust::PackageEntry& entry : packages)
      provenance.inputs.push_back(deb_input(debian, entry, urls));
    end_inputs(provenance, store, info);
    return provenance;
  });
}

}  // namespace flox::package
