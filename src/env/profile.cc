#include "env/profile.h"

#include "base/error.h"
#include "base/os/file.h"
#include "env/merger.h"
#include "env/services.h"

namespace flox::env {
namespace {

// What the manifest says, in the files that an activation reads. Both directories are our own: merge_packages
// lets no package have these names.
void write_activation(const Directory& tree, const Manifest& manifest, std::string_view system,
                      std::string_view mode) {
  const Directory files = tree.make_directory("activate.d");
  const nlohmann::json vars = {{"vars", manifest.vars}, {"mode", mode}, {"system", system}};
  files.create_file("vars.json", vars.dump(2) + "\n");
  if (!manifest.hook_on_activate.empty()) files.create_file("hook-on-activate", manifest.hook_on_activate);
  if (!manifest.hook_on_deactivate.empty())
    files.create_file("hook-on-deactivate", manifest.hook_on_deactivate);
  for (const auto& [shell, script] : manifest.profile) files.create_file("profile-" + shell, script);
  for (const auto& [shell, script] : manifest.profile_deactivate)
    files.create_file("deactivate-profile-" + shell, script);
  const Services services =
      services_from_json(manifest.json.value("services", nlohmann::json::object()), system);
  if (!services.by_name.empty()) files.create_file("services.json", to_text(services));
}

// Removed whatever happens.
class WorkTree {
 public:
  explicit WorkTree(fs::path path) : path_(std::move(path)) {}
  WorkTree(const WorkTree&) = delete;
  WorkTree& operator=(const WorkTree&) = delete;
  ~WorkTree() {
    try {
      remove_tree(path_);
    } catch (const std::exception&) {  // abandoned then; the store removes it later
    }
  }
  const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
};

}  // namespace

nix::PathInfo build_profile(store::LocalStore& store, const Lockfile& lock, std::string_view system,
                            std::string_view mode, const ProfileLimits& limits) {
  std::vector<MergeSource> sources;
  nix::StorePathSet roots;
  for (const auto& package : lock.packages) {
    if (package.system != system) continue;
    for (const auto& path : package.store_paths()) {
      sources.push_back({package.install_id, package.priority, path});
      roots.insert(path);
    }
  }
  if (sources.empty() && !lock.packages.empty())
    throw Error(ErrorKind::not_found, fmt::format("the environment has no packages for {}", system),
                "Add the system to options.systems and lock again.");
  const Manifest manifest = Manifest::from_json(lock.manifest);

  const WorkTree work(store.make_build_directory());
  const Directory tree = Directory(work.path()).make_directory("profile");
  merge_packages(store, std::move(sources), tree, limits);
  write_activation(tree, manifest, system, mode);
  tree.create_file("manifest.lock", lock.to_compact_string());
  return store.add_tree(work.path() / "profile", "environment", store.closure(roots));
}

}  // namespace flox::env
