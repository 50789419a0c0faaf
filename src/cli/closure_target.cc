#include "cli/closure_target.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/printable.h"
#include "catalog/environment_name.h"
#include "cli/catalog_access.h"
#include "cli/options.h"
#include "env/environment.h"
#include "node/floxd/containers.h"
#include "store/gc/lease.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view pod_prefix = "pod:";

void add_lock(ClosureTarget& target, const env::Lockfile& lock) {
  const std::string system = env::current_system();
  for (const env::LockedPackage& package : lock.for_system(system)) target.roots.merge(package.store_paths());
  target.declared.merge(trust::packages_of(lock, system));
}

ClosureTarget of_directory(const std::string& directory) {
  const env::Environment environment = env::Environment::find(directory);
  const auto lock = environment.lockfile();
  if (!lock || !env::locks(*lock, environment.manifest()))
    throw Error(ErrorKind::not_found,
                fmt::format("environment {} is not locked as its manifest is now", environment.name()),
                "Run 'flox lock' in its directory.");
  ClosureTarget target{.name = "environment " + environment.name()};
  add_lock(target, *lock);
  return target;
}

ClosureTarget of_catalog(const std::string& text) {
  const catalog::EnvironmentName name = catalog::parse_environment_name(text);
  const auto pushed = verified_catalog(Config::load().token(), false)->environment(name).pushed;
  ClosureTarget target{.name = fmt::format("environment {}/{}:{}", name.owner, name.name, pushed.generation)};
  add_lock(target, pushed.lock);
  return target;
}

ClosureTarget of_package(const std::string& text) {
  const env::NamedPackage named = env::parse_package(text);
  const env::LockedPackage package = verified_catalog(readable_token(Config::load()), false)
                                         ->resolve(named.install_id, named.descriptor, env::current_system());
  ClosureTarget target{.name = fmt::format("package {} {}", package.attr_path, package.version)};
  add_lock(target, {.manifest = {}, .packages = {package}});
  return target;
}

// What the lock in a profile says of its packages. A profile is made by flox, but what is not one may lie
// beside it.
void add_profile(const store::LocalStore& store, const nix::StorePath& path, ClosureTarget& target) {
  const Directory files(store.store_directory());
  const std::string place = path.base_name() + "/manifest.lock";
  if (!files.exists(path.base_name() + "/activate.d") || !files.exists(place)) return;
  const auto lock = in_context(path.to_string(), [&] {
    return env::Lockfile::parse(files.read_file(place, env::Lockfile::file_limits.bytes));
  });
  target.declared.merge(trust::packages_of(lock, env::current_system()));
}

ClosureTarget of_pod(const store::LocalStore& store, const Config& config, const std::string& text) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == text.size())
    fail_usage(fmt::format("'{}' does not name a pod", printable(text, 100)), "Write NAMESPACE/NAME.");
  const std::string pod_namespace = text.substr(0, slash);
  const std::string name = text.substr(slash + 1);
  const fs::path file = config.root / "var/lib/flox/containers.json";
  if (::access(file.c_str(), F_OK) == 0 && ::access(file.c_str(), R_OK) != 0)
    throw Error(ErrorKind::untrusted, fmt::format("reading {}: permission denied", file.string()),
                "Run this command as root: what runs on a node is for its operator.");
  ClosureTarget target{.name = "pod " + text};
  std::set<std::string> holders;
  const node::Containers containers(file);
  for (const auto& [id, container] : containers.all()) {
    if (container.pod_namespace != pod_namespace || container.pod_name != name) continue;
    target.containers.push_back(
        {.container = container.name, .id = id, .paths = store::leased_paths(store, id)});
    holders.insert(node::pod_holder(container));
  }
  if (target.containers.empty())
    throw Error(ErrorKind::not_found, fmt::format("floxd of this node has prepared no pod {}", text),
                "Run 'kubectl get pod -o wide' to see the pod's node, and run this command there.");
  for (const std::string& holder : holders)
    if (auto paths = store::leased_paths(store, holder); !paths.empty())
      target.containers.push_back(
          {.container = "installed by the pod", .id = holder, .paths = std::move(paths)});
  for (const auto& leased : target.containers) target.roots.insert(leased.paths.begin(), leased.paths.end());
  if (target.roots.empty())
    throw Error(ErrorKind::not_found, fmt::format("pod {} has leased nothing: it runs from its image", text),
                "Give it the annotation flox.dev/environment.");
  for (const nix::StorePath& path : target.roots) add_profile(store, path, target);
  return target;
}

ClosureTarget of_text(const store::LocalStore& store, const Config& config, const std::string& text) {
  if (text.starts_with(pod_prefix)) return of_pod(store, config, text.substr(pod_prefix.size()));
  if (text.starts_with(std::string(nix::store_dir) + "/")) {
    const nix::StorePath path = nix::StorePath::containing(text);
    ClosureTarget target{.name = std::string(path.name()), .roots = {path}};
    add_profile(store, path, target);
    return target;
  }
  if (text.starts_with('/') || text.starts_with('.')) return of_directory(text);
  return catalog::is_environment_name(text) ? of_catalog(text) : of_package(text);
}

}  // namespace

void add_target_options(CLI::App& command, TargetOptions& options) {
  auto* target =
      command.add_option("TARGET", options.target,
                         "OWNER/NAME[:GENERATION], PACKAGE[@VERSION], /nix/store/…, or the directory of "
                         "an environment, with a '/' or '.' in front (default: the current one)");
  auto* directory = command.add_option("-d,--dir", options.directory,
                                       "directory of the environment (default: the current one)");
  auto* pod = command.add_option("--pod", options.pod, "a pod of this node, as NAMESPACE/NAME");
  target->excludes(pod)->excludes(directory);
  directory->excludes(pod);
}

ClosureTarget find_target(const store::LocalStore& store, const Config& config,
                          const TargetOptions& options) {
  ClosureTarget target = !options.pod.empty()      ? of_pod(store, config, options.pod)
                         : !options.target.empty() ? of_text(store, config, options.target)
                                                   : of_directory(options.directory);
  if (target.roots.empty())
    fail(ErrorKind::not_found, "{} has no packages for {}", target.name, env::current_system());
  for (const nix::StorePath& path : target.roots)
    if (!store.is_valid(path))
      throw Error(ErrorKind::not_found,
                  fmt::format("{}: {} is not in the store", target.name, path.to_string()),
                  fmt::format("Run 'flox store realise {}' to fetch it.", path.to_string()));
  return target;
}

}  // namespace flox::cli
