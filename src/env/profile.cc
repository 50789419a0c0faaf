#include "env/profile.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/error.h"
#include "base/file.h"

namespace flox::env {
namespace {

// One store path to merge, with who brings it.
struct Source {
  std::string install_id;
  int priority;
  nix::StorePath path;
};

// What is never linked (nixpkgs buildEnv; flox.md 4).
bool skipped(const fs::path& relative) {
  static const std::set<std::string> exact = {"nix-support", "info/dir", "propagated-build-inputs",
                                              "perllocal.pod"};
  return exact.contains(relative.string()) || relative.filename() == "log" ||
         relative.filename() == "perllocal.pod";
}

// Merges sources into one tree of symlinks. A directory that one source alone has stays one symlink.
class Merger {
 public:
  Merger(const store::LocalStore& store, fs::path tree) : store_(store), tree_(std::move(tree)) {}

  void merge(std::vector<Source> sources) {
    std::ranges::sort(sources, {}, [](const Source& s) {
      return std::tuple(s.priority, s.install_id, s.path.base_name());
    });
    for (const auto& source : sources)
      if (!fs::is_directory(fs::symlink_status(store_.real_path(source.path))))
        fail(ErrorKind::invalid_input, "package '{}': {} is a file, not a directory", source.install_id,
             source.path.to_string());
    merge_directory({}, sources);
  }

 private:
  struct Provider {
    const Source* source;
    fs::file_type type;
  };

  fs::path real(const Source& source, const fs::path& relative) const {
    return store_.real_path(source.path) / relative;
  }

  // A symlink to a directory counts as a directory. Links into the store are read below the store's root.
  fs::file_type type_of(const fs::path& path, int depth = 0) const {
    auto status = fs::symlink_status(path);
    if (status.type() != fs::file_type::symlink || depth > 40) return status.type();
    fs::path target = fs::read_symlink(path);
    if (target.is_relative())
      target = path.parent_path() / target;
    else if (store_.root() != "/")
      target = fs::path(store_.root().string() + target.string());
    return type_of(target.lexically_normal(), depth + 1);
  }

  void merge_directory(const fs::path& relative, const std::vector<Source>& sources) {
    fs::create_directories(tree_ / relative);
    std::map<std::string, std::vector<Provider>> entries;
    for (const auto& source : sources)
      for (const auto& entry : fs::directory_iterator(readable(source, relative)))
        if (!skipped(relative / entry.path().filename()))
          entries[entry.path().filename()].push_back({&source, type_of(entry.path())});
    for (const auto& [name, providers] : entries) merge_entry(relative / name, providers);
  }

  // The directory itself may be a symlink into the store: found below the root.
  fs::path readable(const Source& source, const fs::path& relative) const {
    fs::path path = real(source, relative);
    for (int depth = 0; depth < 40 && fs::is_symlink(fs::symlink_status(path)); ++depth) {
      fs::path target = fs::read_symlink(path);
      path = target.is_relative()
                 ? path.parent_path() / target
                 : fs::path((store_.root() == "/" ? "" : store_.root().string()) + target.string());
    }
    return path;
  }

  void merge_entry(const fs::path& relative, const std::vector<Provider>& providers) {
    bool all_directories =
        std::ranges::all_of(providers, [](const Provider& p) { return p.type == fs::file_type::directory; });
    if (providers.size() > 1 && all_directories) {
      std::vector<Source> sources;
      for (const auto& provider : providers) sources.push_back(*provider.source);
      return merge_directory(relative, sources);
    }
    const Source& first = *providers[0].source;
    if (providers.size() > 1 && providers[1].source->priority == first.priority &&
        !same_file(first, *providers[1].source, relative))
      throw Error(ErrorKind::conflict,
                  fmt::format("packages '{}' and '{}' both have the file {}", first.install_id,
                              providers[1].source->install_id, relative.string()),
                  fmt::format("give one a lower priority number in the manifest, as in: {}.priority = 4",
                              first.install_id));
    fs::create_symlink(first.path.to_string() + "/" + relative.string(), tree_ / relative);
  }

  bool same_file(const Source& a, const Source& b, const fs::path& relative) const {
    std::error_code error;
    fs::path left = fs::canonical(readable(a, relative), error);
    fs::path right = fs::canonical(readable(b, relative), error);
    return !error && left == right;
  }

  const store::LocalStore& store_;
  fs::path tree_;
};

}  // namespace

nix::PathInfo build_profile(store::LocalStore& store, const Lockfile& lock, std::string_view system,
                            std::string_view mode) {
  std::vector<Source> sources;
  nix::StorePathSet roots;
  for (const auto& package : lock.for_system(system))
    for (const auto& path : package.store_paths()) {
      sources.push_back({package.install_id, package.priority, path});
      roots.insert(path);
    }
  if (sources.empty() && !lock.packages.empty())
    throw Error(ErrorKind::not_found, fmt::format("the environment has no packages for {}", system),
                "add the system to options.systems and lock again");

  fs::path work = store.make_build_directory();
  struct Cleanup {
    fs::path path;
    ~Cleanup() {
      std::error_code ignored;
      fs::remove_all(path, ignored);
    }
  } cleanup{work};
  fs::path tree = work / "profile";
  Merger(store, tree).merge(sources);

  Manifest manifest = Manifest::from_json(lock.manifest);
  fs::create_directories(tree / "activate.d");
  nlohmann::json vars = {{"vars", manifest.vars}, {"mode", mode}, {"system", system}};
  write_file(tree / "activate.d/vars.json", vars.dump(2) + "\n");
  if (!manifest.hook_on_activate.empty())
    write_file(tree / "activate.d/hook-on-activate", manifest.hook_on_activate);
  for (const auto& [shell, script] : manifest.profile)
    write_file(tree / "activate.d" / ("profile-" + shell), script);
  write_file(tree / "manifest.lock", lock.to_string());
  return store.add_tree(tree, "environment", store.closure(roots));
}

}  // namespace flox::env
