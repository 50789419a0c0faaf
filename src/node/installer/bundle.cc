#include "node/installer/bundle.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "nix/nar.h"
#include "node/installer/installation.h"
#include "node/installer/manual_pages.h"
#include "node/installer/runtime_closure.h"
#include "package/debian/relocate_tree.h"
#include "store/local/named_root.h"

namespace flox::node {
namespace {

using json = nlohmann::json;

constexpr const char* description = "opt/flox/bundle.json";
constexpr const char* linked_directories[] = {"bin", "share"};  // of the programs, below opt/flox

json to_json(const Bundle& bundle) {
  json closure = json::array();
  for (const auto& info : bundle.closure) {
    json references = json::array();
    for (const auto& reference : info.references) references.push_back(reference.to_string());
    closure.push_back({{"path", info.path.to_string()},
                       {"narHash", nix::hash_text(info.nar_hash)},
                       {"narSize", info.nar_size},
                       {"references", std::move(references)},
                       {"ca", info.content_address ? info.content_address->to_string() : ""}});
  }
  return {{"programs", bundle.programs.to_string()},
          {"runtime", bundle.runtime.to_string()},
          {"closure", std::move(closure)}};
}

Bundle from_json(const json& text) {
  Bundle bundle{.programs = nix::StorePath::parse(text.at("programs").get<std::string>()),
                .runtime = nix::StorePath::parse(text.at("runtime").get<std::string>()),
                .closure = {}};
  for (const json& entry : text.at("closure")) {
    nix::PathInfo info{.path = nix::StorePath::parse(entry.at("path").get<std::string>())};
    info.nar_hash = nix::parse_hash(entry.at("narHash").get<std::string>());
    info.nar_size = entry.at("narSize");
    for (const json& reference : entry.at("references"))
      info.references.insert(nix::StorePath::parse(reference.get<std::string>()));
    if (const std::string address = entry.at("ca"); !address.empty())
      info.content_address = nix::ContentAddress::parse(address);
    bundle.closure.push_back(std::move(info));
  }
  return bundle;
}

// Passes the tree on as a NAR, and throws unless it is what the bundle says.
void read_verified(const fs::path& tree, const nix::PathInfo& info, const ByteSink& sink) {
  Sha256 hash;
  nix::write_nar(tree, [&](std::string_view piece) {
    hash.update(piece);
    sink(piece);
  });
  if (hash.finish() != info.nar_hash)
    throw Error(ErrorKind::untrusted,
                fmt::format("{} does not have the hash that the bundle lists", tree.string()),
                "Unpack the bundle again.");
}

void keep(const store::LocalStore& store, const Bundle& bundle) {
  store::set_named_root(store, "flox-node", bundle.programs);
  store::set_named_root(store, "flox-runtime", bundle.runtime);
}

}  // namespace

Bundle make_bundle(store::LocalStore& store, const fs::path& programs,
                   const std::function<void(std::string_view)>& on_step) {
  return in_context("making the bundle", [&] {
    TempDir tree("flox-bundle-");
    fs::create_directory(tree.path() / "bin");
    for (const char* name : node_programs) {
      fs::copy_file(programs / name, tree.path() / "bin" / name);
      run_checked({.argv = {"strip", "--strip-debug", tree.path() / "bin" / name}});
    }
    write_manual_pages(programs, tree.path() / "share");
    package::RelocateOptions options;
    options.debian.on_step = on_step;
    Bundle bundle{
        .programs = package::relocate_tree(store, tree.path(), "flox-node-" FLOX_VERSION, options).path,
        .runtime = build_runtime(store, on_step),
        .closure = {}};
    for (const auto& path : store.closure({bundle.programs, bundle.runtime}))
      bundle.closure.push_back(*store.query(path));
    return bundle;
  });
}

void write_bundle(const store::LocalStore& store, const Bundle& bundle, const fs::path& archive) {
  TempDir tree("flox-bundle-");
  fs::create_directories(tree.path() / "opt/flox");
  write_file(tree.path() / description, to_json(bundle).dump(1) + "\n");
  for (const char* directory : linked_directories)
    fs::create_symlink(bundle.programs.to_string() + "/" + directory, tree.path() / "opt/flox" / directory);
  // The store's files come from where they are; sorted and without times and owners, the archive is always
  // the same.
  std::vector<std::string> argv = {
      "tar",         "--create",  "--file",    archive,           "--sort=name",
      "--mtime=@1",  "--owner=0", "--group=0", "--numeric-owner", "--format=gnu",
      "--directory", tree.path(), "opt",       "--directory",     fs::absolute(store.root())};
  for (const auto& info : bundle.closure) argv.push_back("nix/store/" + std::string(info.path.base_name()));
  run_checked({.argv = argv});
}

std::optional<Bundle> find_bundle(const fs::path& root) {
  const fs::path file = root / description;
  if (!fs::exists(file)) return std::nullopt;
  return in_context(fmt::format("reading {}", file.string()),
                    [&] { return std::optional(from_json(parse_json(read_file(file), file.string()))); });
}

void adopt_bundle(store::LocalStore& store, const Bundle& bundle) {
  in_context("adding the bundle's paths to the store", [&] {
    std::vector<nix::PathInfo> infos;
    for (const auto& info : bundle.closure) {
      if (store.is_valid(info.path)) continue;
      read_verified(store.real_path(info.path), info, [](std::string_view) {});
      infos.push_back(info);
    }
    store.register_valid(infos);
    keep(store, bundle);
  });
}

void copy_bundle(const fs::path& from, const fs::path& to) {
  const std::optional<Bundle> bundle = find_bundle(from);
  if (!bundle) fail(ErrorKind::not_found, "there is no bundle below {}", from.string());
  store::LocalStore store(to);
  nix::StorePathSet paths;
  for (const auto& info : bundle->closure) paths.insert(info.path);
  store.add_temp_roots(paths);
  TempDir work("flox-bundle-", store.staging_directory());
  std::vector<store::ReadyTree> trees;
  for (const auto& info : bundle->closure) {
    if (store.is_valid(info.path)) continue;
    const fs::path tree = work.path() / info.path.base_name();
    nix::NarUnpacker unpacker(tree);
    read_verified(from / "nix/store" / info.path.base_name(), info,
                  [&](std::string_view piece) { unpacker.feed(piece); });
    unpacker.finish();
    trees.push_back({info, tree});
  }
  store.install(trees);
  store.sync();
  keep(store, *bundle);
  // The host's /opt/flox: no link that stands there is written through.
  fs::create_directories(to / "opt");
  const Directory opt(fs::canonical(to / "opt"));
  opt.make_directory("flox");
  // Not canonical(): `from` may be below /proc/self/fd, which names another root than its link says.
  const fs::path own = from / "opt";
  const Directory bundled(open_file(own.string(), O_RDONLY | O_DIRECTORY), own.string());
  opt.write_file("flox/bundle.json", bundled.read_file("flox/bundle.json", 64 << 20));
  for (const std::string directory : linked_directories) {
    opt.remove("flox/" + directory);
    opt.make_link("flox/" + directory, bundle->programs.to_string() + "/" + directory);
  }
}

void forget_bundle(const fs::path& root) {
  fs::remove(root / "nix/var/nix/gcroots/flox-node");
  remove_tree(root / "opt/flox");
}

}  // namespace flox::node
