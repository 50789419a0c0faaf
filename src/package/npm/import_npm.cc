#include "package/npm/import_npm.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/printable.h"
#include "base/settings/units.h"
#include "package/debian/application.h"
#include "package/debian/foreign_surroundings.h"
#include "package/debian/importer.h"
#include "package/imported/answers.h"
#include "package/imported/downloads.h"
#include "package/imported/unpack.h"
#include "package/npm/resolve.h"
#include "package/record/provenance.h"
#include "trust/sbom/package_file.h"
#include "trust/sbom/purl.h"

namespace flox::package {
namespace {

// As SLSA's buildType: tarballs were unpacked, relocated and put together.
constexpr std::string_view npm_import_type = "urn:flox-imageless:import-npm:v1";
constexpr uint64_t max_packument = 128 << 20;        // bytes
constexpr uint64_t max_tarball = uint64_t{4} << 30;  // bytes

// "@types/node" → "types+node": a name of files.
std::string flat_name(std::string_view name) {
  std::string flat(name.substr(name.starts_with('@') ? 1 : 0));
  std::ranges::replace(flat, '/', '+');
  return flat;
}

std::string folder_of(const NpmNode& node) {
  return fmt::format("lib/node/{}@{}/node_modules", flat_name(node.name), node.release.version.to_string());
}
// Where a package's files are in the store path of its group.
std::string place_of(const NpmNode& node) { return folder_of(node) + "/" + node.name; }

std::string cpu_of_this_machine() { return system_of_this_machine().starts_with("x86_64") ? "x64" : "arm64"; }

bool is_elf_file(const Directory& directory, const std::string& place) {
  const Fd file = directory.open(place, O_RDONLY | O_NONBLOCK);
  std::array<char, 4> magic{};
  return read_some(file.get(), magic.data(), magic.size()) == 4 &&
         magic == std::array<char, 4>{'\x7f', 'E', 'L', 'F'};
}

// The registry's documents of one command.
class NpmDocuments {
 public:
  NpmDocuments(std::string url, Downloads& downloads) : url_(std::move(url)), downloads_(downloads) {}

  const Packument& of(const std::string& name) {
    return documents_.of(name, [&] {
      return in_context("asking the registry for " + name, [&] {
        const std::string at =
            fmt::format("{}/{}", url_.substr(0, url_.find_last_not_of('/') + 1), url_encode(name));
        return Packument::parse(downloads_.text(at, packument_type, max_packument), name);
      });
    });
  }

 private:
  std::string url_;
  Downloads& downloads_;
  Answers<Packument> documents_;
};

// Makes store paths of a graph's groups, in their order.
class NpmPaths {
 public:
  NpmPaths(store::LocalStore& store, Importer& importer, Downloads& downloads, const NpmGraph& graph)
      : store_(store),
        importer_(importer),
        downloads_(downloads),
        graph_(graph),
        group_of_(graph.nodes.size()) {}

  void add(const std::vector<size_t>& group) {
    for (const size_t node : group) group_of_[node] = paths_.size();
    const NpmNode& first = graph_.nodes[group.front()];
    const std::string store_name =
        fmt::format("node-{}-{}", flat_name(first.name), first.release.version.to_string());
    BuildDirectory work(store_);
    const Directory tree = Directory(work.path()).make_directory("tree");
    trust::PackageFile packages;
    nix::StorePathSet used;
    for (const size_t node : group) {
      packages.packages.push_back(unpack_node(node, work.path() / "tree", tree));
      link_seen(node, tree, used);
    }
    tree.make_directory("nix-support").create_file("package.json", packages.to_string());
    ForeignSurroundings surroundings(importer_, first.name);
    const nix::PathInfo added = relocate(store_,
                                         {.directory = work.path() / "tree",
                                          .name = store_name,
                                          .placeholder = placeholder_digest("npm"),
                                          .origins = {},
                                          .candidates = used},
                                         surroundings);
    store_.add_temp_roots({added.path});
    paths_.push_back(added.path);
  }

  const nix::StorePath& path_of(size_t node) const { return paths_[group_of_[node]]; }
  const NpmManifest& manifest_of(size_t node) const { return manifests_.at(node); }

 private:
  trust::PackageEntry unpack_node(size_t index, const fs::path& directory, const Directory& tree) {
    const NpmNode& node = graph_.nodes[index];
    const std::string version = node.release.version.to_string();
    return in_context(fmt::format("importing {} {}", node.name, version), [&] {
      const fs::path tarball = downloads_.file(node.release.tarball, node.release.integrity, max_tarball);
      const Directory files = tree.make_directory(place_of(node));
      unpack_confined(tarball, ArchiveFormat::tar, 1, directory / place_of(node));
      NpmManifest manifest = NpmManifest::parse(files.read_file("package.json", max_npm_manifest));
      const auto says = NpmVersion::find(manifest.version);
      if (manifest.name != node.name || !says || *says != node.release.version)
        fail(ErrorKind::invalid_input, "its package.json is that of {} {}", manifest.name,
             printable(manifest.version, 60));
      trust::PackageEntry entry{.name = node.name,
                                .version = version,
                                .purl = trust::npm_purl(node.name, version),
                                .license = manifest.license,
                                .source = {}};
      manifests_.emplace(index, std::move(manifest));
      return entry;
    });
  }

  // What node finds beside a package, as it looks for modules in every node_modules above the file.
  void link_seen(size_t index, const Directory& tree, nix::StorePathSet& used) {
    const NpmNode& node = graph_.nodes[index];
    for (const auto& [name, other] : node.sees) {
      if (name == node.name) continue;
      const std::string there = place_of(graph_.nodes[other]);
      const std::string link = folder_of(node) + "/" + name;
      const std::string parent = fs::path(link).parent_path().string();
      std::string target;
      if (group_of_[other] == group_of_[index] && group_of_[index] == paths_.size()) {
        target = fs::path("/" + there).lexically_relative("/" + parent).string();
      } else {
        target = path_of(other).to_string() + "/" + there;
        used.insert(path_of(other));
      }
      tree.make_directory(parent).make_link(fs::path(link).filename().string(), target);
    }
  }

  store::LocalStore& store_;
  Importer& importer_;
  Downloads& downloads_;
  const NpmGraph& graph_;
  std::vector<size_t> group_of_;  // of each node; paths_.size() while the group is being made
  std::vector<nix::StorePath> paths_;
  std::map<size_t, NpmManifest> manifests_;
};

trust::BuildProvenance describe_tarballs(const store::LocalStore& store, const NpmImport& import,
                                         const NpmGraph& graph, const catalog::PackageBuild& build,
                                         std::time_t started_at) {
  const nix::PathInfo info = info_of_input(store, build.outputs.at("out"));
  trust::BuildProvenance provenance = begin_provenance(info, build, started_at);
  provenance.build_type = npm_import_type;
  provenance.command = import.command;
  for (const NpmNode& node : graph.nodes) {
    const std::string version = node.release.version.to_string();
    provenance.inputs.push_back(
        {.name = node.name,
         .uri = node.release.tarball,
         .digests = {{"sha512", node.release.integrity.to_hex()}},
         .notes = {{"version", version}, {"purl", trust::npm_purl(node.name, version)}}});
  }
  end_inputs(provenance, store, info);
  return provenance;
}

// bin/PROGRAM of each of the package's programs: node with its wrapper's variables, or the program itself.
void write_programs(const WrapperParts& node, const std::string& package, const Directory& files,
                    const NpmManifest& manifest, const Directory& out) {
  for (const auto& [program, place] : manifest.bin) {
    const auto status = files.status(place);
    if (!status || !S_ISREG(status->st_mode))
      fail(ErrorKind::invalid_input, "package.json: 'bin': there is no file {}", place);
    const Directory bin = out.make_directory("bin");
    if (is_elf_file(files, place))
      bin.make_link(program, package + "/" + place);
    else
      bin.create_file(program,
                      fmt::format("{}exec {} {} \"$@\"\n", node.lead, shell_word(node.program),
                                  shell_word(package + "/" + place)),
                      0755);
  }
}

}  // namespace

NpmWanted npm_wanted(const std::string& text) {
  const size_t at = text.find('@', 1);
  NpmWanted wanted{text.substr(0, at),
                   at == std::string::npos || text.empty() ? "latest" : text.substr(at + 1)};
  if (!is_npm_name(wanted.name) || wanted.spec.empty())
    throw Error(ErrorKind::invalid_input,
                fmt::format("'{}' does not name a package of npm", printable(text, 80)),
                "Write NAME@VERSION, as express@4.19.2 or @scope/name@1.0.0.");
  return wanted;
}

ImportedPackage import_npm(store::LocalStore& store, const NpmImport& import) {
  const std::time_t started_at = std::time(nullptr);
  std::string name = import.name;
  if (name.empty()) {
    name = flat_name(import.wanted);
    std::ranges::replace(name, '+', '-');
  }
  if (name.find('/') != std::string::npos || !is_npm_name(name))
    throw Error(ErrorKind::invalid_input,
                fmt::format("'{}' cannot be the name of the package", printable(name, 60)),
                "Use letters, digits and -_. between them.");
  Debian debian(import.debian);
  Importer importer(store, debian);
  Downloads downloads("npm", import.registry);
  NpmDocuments documents(import.registry, downloads);
  debian.step(fmt::format("{}: choosing versions", import.wanted));
  const NpmGraph graph =
      resolve_npm([&](const std::string& one) -> const Packument& { return documents.of(one); },
                  import.wanted, import.spec, import.pins, cpu_of_this_machine());
  for (const std::string& note : graph.notes) debian.step("note: " + note);
  debian.step(fmt::format("{}: {}", import.wanted, count_text(graph.nodes.size(), "package")));
  NpmPaths paths(store, importer, downloads, graph);
  for (const auto& group : groups_of(graph)) paths.add(group);

  const nix::StorePath interpreter = importer.package("nodejs");
  const WrapperParts wrapper = read_wrapper(store.real_path(interpreter), "bin/node");
  const NpmNode& wanted = graph.nodes.front();
  const NpmManifest& manifest = paths.manifest_of(0);
  const std::string version = wanted.release.version.to_string();
  const std::string package = paths.path_of(0).to_string() + "/" + place_of(wanted);
  BuildDirectory work(store);
  const Directory out = Directory(work.path()).make_directory("tree");
  write_programs(wrapper, package,
                 Directory(store.real_path(paths.path_of(0))).subdirectory(place_of(wanted)), manifest, out);
  // For node in an environment that has this package, too.
  const std::string shared = "share/nodejs/" + wanted.name;
  out.make_directory(fs::path(shared).parent_path().string())
      .make_link(fs::path(shared).filename().string(), package);
  out.make_directory("nix-support")
      .create_file("package.json",
                   trust::PackageFile{.packages = {{.name = wanted.name,
                                                    .version = version,
                                                    .purl = trust::npm_purl(wanted.name, version),
                                                    .license = manifest.license,
                                                    .source = {}}}}
                       .to_string());
  nix::StorePathSet candidates = info_of_input(store, interpreter).references;
  candidates.insert(interpreter);
  candidates.insert(paths.path_of(0));
  const nix::StorePath path =
      store.add_tree(work.path() / "tree", fmt::format("{}-{}", name, version), candidates).path;
  store.add_temp_roots({path});

  catalog::PackageBuild build;
  build.name = name;
  build.version = version;
  build.description = manifest.description;
  build.license = manifest.license;
  ImportedPackage imported = importer.imported(std::move(build), path, "npm-" + name, import.run_programs);
  for (size_t node = 0; node < graph.nodes.size(); ++node)
    imported.parts.push_back({.name = graph.nodes[node].name,
                              .version = graph.nodes[node].release.version.to_string(),
                              .path = paths.path_of(node)});
  if (import.with_provenance)
    imported.provenance = describe_tarballs(store, import, graph, imported.build, started_at);
  record_programs(imported);
  return imported;
}

}  // namespace flox::package
