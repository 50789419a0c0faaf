#include "package/build/build_record.h"

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "package/record/provenance.h"

namespace flox::package {
namespace {

constexpr size_t max_manifest = 4 << 20;   // bytes
constexpr size_t max_statement = 1 << 20;  // bytes

void add_file(trust::BuildProvenance& provenance, const Directory& project, const std::string& name) {
  const std::string place = ".flox/env/" + name;
  if (!project.exists(place)) return;
  provenance.inputs.push_back(
      {.name = name,
       .uri = {},
       .digests = {{"sha256", to_hex(bytes_of(sha256(project.read_file(place, max_manifest))))}},
       .notes = {}});
}

std::string file_of(const std::string& name) {
  return file_name("result-" + name + ".provenance.json", "build");
}

}  // namespace

trust::BuildProvenance describe_build(const store::LocalStore& store, const BuildRequest& request,
                                      const catalog::PackageBuild& build,
                                      const BuildCircumstances& circumstances) {
  return in_context("recording the provenance of " + build.name, [&] {
    const nix::PathInfo info = info_of_input(store, build.outputs.at("out"));
    trust::BuildProvenance provenance = begin_provenance(info, build, circumstances.started_at);
    provenance.command = request.descriptor.command;
    for (const char* kept : {"pure", "enforce"})  // warn keeps nothing from it
      if (request.descriptor.sandbox == kept) provenance.sandbox = kept;
    provenance.variables = circumstances.variables;
    if (!circumstances.builder.empty()) provenance.builder = circumstances.builder;
    provenance.inputs.push_back(circumstances.sources);
    const Directory project(request.project);
    add_file(provenance, project, "manifest.toml");
    add_file(provenance, project, "manifest.lock");
    nix::StorePathSet packages(request.packages.begin(), request.packages.end());
    for (const auto& [other, path] : request.builds) packages.insert(path);
    for (const nix::StorePath& package : packages)
      provenance.inputs.push_back(path_input(store, package, "build"));
    end_inputs(provenance, store, info, packages);
    return provenance;
  });
}

void leave_provenance(const std::filesystem::path& project, const std::string& name,
                      const trust::BuildProvenance& provenance) {
  Directory(project).write_file(file_of(name), provenance.to_string() + "\n");
}

std::optional<trust::BuildProvenance> find_provenance(const store::LocalStore& store,
                                                      const std::filesystem::path& project,
                                                      const catalog::PackageBuild& build) {
  const std::string file = file_of(build.name);
  const Directory directory(project);
  if (!directory.exists(file)) return std::nullopt;
  return in_context((project / file).string(), [&] {
    trust::BuildProvenance provenance =
        trust::BuildProvenance::parse(directory.read_file(file, max_statement));
    const auto output = build.outputs.find("out");
    const auto info = store.query(provenance.path);
    if (output == build.outputs.end() || output->second != provenance.path || !info ||
        info->nar_hash != provenance.nar_hash)
      throw Error(ErrorKind::conflict,
                  fmt::format("it is the provenance of another build, {}", provenance.path.to_string()),
                  fmt::format("Run 'flox build {}' again.", build.name));
    return std::optional(std::move(provenance));
  });
}

}  // namespace flox::package
