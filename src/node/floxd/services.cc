#include "node/floxd/services.h"

#include <ctime>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os/directory.h"
#include "base/printable.h"
#include "env/activation.h"
#include "env/environment.h"
#include "store/gc/lease.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;

// A container without processes is given this long to start one before its lease may be swept, seconds.
constexpr int64_t start_grace = 600;

// A container's lease bears its id, and those of pods and views stand beside it: it may be none of theirs.
void check_container_id(std::string_view id) {
  if (id.empty()) fail(ErrorKind::invalid_input, "a container without id");
  for (const std::string_view taken : {std::string_view("pod-"), std::string_view(view_holder_prefix)})
    if (id.starts_with(taken))
      throw Error(ErrorKind::invalid_input,
                  fmt::format("'{}' cannot be a container's id: floxd keeps names with '{}' for itself",
                              printable(id, 60), taken),
                  "Give the container another id.");
}

env::Variables variables_of(const v1::PrepareRequest& request) {
  env::Variables variables;
  for (const auto& entry : request.env()) {
    size_t equals = entry.find('=');
    if (equals != std::string::npos) variables[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  // A container begins in no environment, whatever its pod says: activation itself sets this.
  variables.erase("_FLOX_ACTIVE_ENVIRONMENTS");
  return variables;
}

// Both become part of the environment, so each text would be another one.
void check_mode(std::string_view mode) {
  if (mode != "run" && mode != "dev")
    fail(ErrorKind::invalid_input, "activate-mode '{}': it is run or dev", printable(mode, 60));
}
void check_system(std::string_view system) {
  if (system != env::current_system())
    fail(ErrorKind::invalid_input, "system '{}': this node is {}", printable(system, 60),
         env::current_system());
}

// Pins the single package of an annotated environment (FLOX_PACKAGE_VERSION), and logs whose it is.
class CatalogResolver : public env::Resolver {
 public:
  CatalogResolver(const Environments& environments, std::string pod)
      : environments_(environments), pod_(std::move(pod)) {}
  env::LockedPackage resolve(std::string_view id, const env::InstallDescriptor& descriptor,
                             std::string_view system) override {
    auto [package, origin] = environments_.resolve(id, descriptor, system);
    log::info("{}: package {} {}: {}", pod_, printable(package.attr_path), printable(package.version),
              catalog::to_string(origin));
    return std::move(package);
  }

 private:
  const Environments& environments_;
  std::string pod_;
};

}  // namespace

v1::PrepareResponse NodeService::prepare(const v1::PrepareRequest& request) {
  check_container_id(request.container_id());
  metrics_.prepared();
  const bool own_view = wants_view(request);
  if (request.nix_mutable() && !config_.allow_nix_mutable)
    throw Error(ErrorKind::untrusted, "nix-mutable: this node does not allow containers to change /nix",
                "Remove the annotation flox.dev/nix-mutable, or use a node with allow_nix_mutable = true.");
  Container container{request.container_id(), request.pod_id(),         request.pod_namespace(),
                      request.pod_name(),     request.container_name(), std::time(nullptr)};
  store::check_holder(container.id);  // what cannot hold a lease could neither be swept nor install
  store::check_holder(pod_holder(container));
  containers_.expect(container);
  v1::PrepareResponse response;
  response.set_nix_mutable(request.nix_mutable());
  response.set_store_directory(environments_.store().store_directory());
  response.set_runtime_path(runtime_path_);
  response.set_pod_socket_directory(config_.pod_socket_dir);
  try {
    if (!request.environment().empty()) activate(request, container, response);
    if (own_view) {
      const StoreViews::View view = views_.show(roots_of(container, response));
      container.view = view.name;
      response.set_store_directory(view.directory);
    }
    containers_.add(container);
  } catch (...) {
    containers_.remove(request.container_id());
    store::release_lease(environments_.store(), request.container_id());
    throw;
  }
  log::info("prepared container {} of pod {}/{}{}", request.container_name(), request.pod_namespace(),
            request.pod_name(),
            request.environment().empty() ? "" : ": environment " + request.environment());
  return response;
}

void NodeService::activate(const v1::PrepareRequest& request, const Container& container,
                           v1::PrepareResponse& response) {
  in_context(fmt::format("environment '{}'", request.environment()), [&] {
    env::Variables variables = variables_of(request);
    std::string system = env::current_system();
    std::string mode = request.activate_mode().empty() ? "run" : request.activate_mode();
    check_mode(mode);
    const std::string pod = fmt::format("pod {}/{}", request.pod_namespace(), request.pod_name());
    auto [name, lock, origin] = environments_.lock_of(request.environment());
    if (auto version = variables.find("FLOX_PACKAGE_VERSION");
        version != variables.end() && !version->second.empty()) {
      CatalogResolver resolver(environments_, pod);
      lock = env::with_primary_version(lock, name, version->second, system, resolver);
    }
    log::info("{}: environment {}: {}", pod, request.environment(), catalog::to_string(origin));
    nix::StorePath profile = environments_.realise(lock, system, mode, request.container_id());
    grants_.add(pod_holder(container), lock);
    fs::path files = environments_.store().real_path(profile);
    env::Activation activation = env::activate({.name = name,
                                                .profile_link = profile.to_string(),
                                                .profile = files,
                                                .project = {},
                                                .cache = "/tmp",
                                                .mode = mode,
                                                .environment = variables});
    response.set_profile(profile.to_string());
    for (const auto& [key, value] : activation.environment) response.add_env(key + "=" + value);

    std::vector<std::string> args(request.args().begin(), request.args().end());
    if (!args.empty() && args[0].find('/') == std::string::npos &&
        env::profile_has(files, fs::path("bin") / args[0]))
      args[0] = profile.to_string() + "/bin/" + args[0];
    if (activation.has_hook) {
      std::string hook = profile.to_string() + "/activate.d/hook-on-activate";
      args.insert(args.begin(),
                  {"/bin/sh", "-c", ". " + hook + " >&2 || exit 1; exec \"$@\"", "flox-activate"});
    }
    for (auto& arg : args) response.add_args(std::move(arg));
  });
}

bool NodeService::wants_view(const v1::PrepareRequest& request) const {
  const std::string& wish = request.store_view();
  if (!wish.empty() && wish != "node" && wish != "closure")
    fail(ErrorKind::invalid_input, "store-view '{}': it is node or closure", wish);
  if (wish == "node" && config_.store_view == StoreView::closure)
    throw Error(ErrorKind::untrusted, "store-view 'node': containers of this node see only their own closure",
                "Remove the annotation flox.dev/store-view, or use a node with store_view = \"node\".");
  return wish.empty() ? config_.store_view == StoreView::closure : wish == "closure";
}

nix::StorePathSet NodeService::roots_of(const Container& container,
                                        const v1::PrepareResponse& response) const {
  nix::StorePathSet roots{nix::StorePath::parse(runtime_path_)};
  if (!response.profile().empty()) roots.insert(nix::StorePath::parse(response.profile()));
  roots.merge(store::leased_paths(environments_.store(), pod_holder(container)));
  return roots;
}

v1::ReleaseResponse NodeService::release(const v1::ReleaseRequest& request) {
  check_container_id(request.container_id());
  containers_.remove(request.container_id());
  store::release_lease(environments_.store(), request.container_id());
  return {};
}

Container PodService::identify(const ttrpc::PeerProcess& process) const {
  auto container = containers_.of_cgroups(process.read("cgroup"));
  if (!container)
    throw Error(
        ErrorKind::untrusted,
        fmt::format("process {} belongs to no container that this floxd has prepared", process.peer().pid),
        "Give the pod the runtime class flox: only such pods may ask.");
  return *container;
}

void PodService::check_current(const Container& container) const {
  if (containers_.is_current(container)) return;
  budgets_.refused(Budget::identity);
  fail(ErrorKind::untrusted, "container {}, which made this connection, has ended", container.id);
}

void PodService::forbid(const Container& container) const {
  budgets_.refused(Budget::policy);
  throw Error(ErrorKind::untrusted,
              fmt::format("pod {}/{} may not install packages: this node forbids it", container.pod_namespace,
                          container.pod_name),
              "Name the environment in the annotation flox.dev/environment, or ask for pod_install = true "
              "in /etc/flox/config.toml.");
}

std::string PodService::default_of(const Container& container) const {
  const auto found = config_.namespace_environments.find(container.pod_namespace);
  return found == config_.namespace_environments.end() ? "" : found->second;
}

pod::v1::DefaultEnvironmentResponse PodService::default_environment(
    [[maybe_unused]] const pod::v1::DefaultEnvironmentRequest& request, const Container& asking) {
  check_current(asking);
  pod::v1::DefaultEnvironmentResponse response;
  response.set_environment(default_of(asking));
  return response;
}

pod::v1::ResolveResponse PodService::resolve(const pod::v1::ResolveRequest& request,
                                             const Container& asking) {
  check_current(asking);
  constexpr JsonLimits limits{.bytes = 16 << 10, .depth = 8, .values = 256};
  constexpr size_t longest_name = 256;
  if (request.install_id().size() > longest_name || request.system().size() > longest_name)
    fail(ErrorKind::invalid_input, "an install id or a system of more than {} bytes", longest_name);
  const auto descriptor_json = parse_json(request.descriptor_json(), "the descriptor", limits);
  if (!descriptor_json.is_object()) fail(ErrorKind::invalid_input, "the descriptor is not a JSON object");
  auto manifest = env::Manifest::from_json({{"install", {{request.install_id(), descriptor_json}}}});
  const env::InstallDescriptor& descriptor = manifest.install.at(request.install_id());
  // What the node gives the namespace itself, in whatever version, is not forbidden.
  const std::string own = default_of(asking);
  if (!config_.pod_install &&
      (own.empty() || env::parse_package(own).descriptor.pkg_path != descriptor.pkg_path))
    forbid(asking);
  const auto [package, origin] = environments_.resolve(request.install_id(), descriptor, request.system());
  log::info("pod {}/{}: package {} {}: {}", asking.pod_namespace, asking.pod_name,
            printable(package.attr_path), printable(package.version), catalog::to_string(origin));
  if (!config_.pod_install)
    grants_.add_package(pod_holder(asking), env::parse_package(own).install_id, package);
  pod::v1::ResolveResponse response;
  response.set_package_json(package.json.dump());
  return response;
}

pod::v1::RealiseResponse PodService::realise(const pod::v1::RealiseRequest& request,
                                             const Container& asking) {
  check_current(asking);
  check_mode(request.mode());
  check_system(request.system());
  const std::string pod = pod_holder(asking);
  budgets_.check_lock_size(request.lock_json());
  // Tighter than what a lock may be in general: no environment that people make comes near.
  constexpr JsonLimits limits{.bytes = 4 << 20, .depth = 32, .values = 64 << 10};
  env::Lockfile lock = env::Lockfile::parse(request.lock_json(), "the lock", limits);
  if (!config_.pod_install) lock = granted(asking, lock, request.system());
  const Budgets::Claim claim = budgets_.claim(pod, lock, request.mode());
  pod::v1::RealiseResponse response;
  try {
    // Leased to the pod: what its init container installs, its other containers run.
    const nix::StorePath profile =
        environments_.realise(lock, request.system(), request.mode(), pod, budgets_.left(pod));
    budgets_.realised(pod, profile, lock, request.mode());
    response.set_profile(profile.to_string());
  } catch (...) {
    budgets_.failed(pod, lock, request.system());
    throw;
  }
  // If it has ended meanwhile, nobody would end its lease before the next sweep.
  check_current(asking);
  return response;
}

env::Lockfile PodService::granted(const Container& container, const env::Lockfile& wanted,
                                  std::string_view system) {
  const std::string pod = pod_holder(container);
  if (auto grant = grants_.find(pod, wanted, system)) return *grant;
  recall_grants(container);
  if (auto grant = grants_.find(pod, wanted, system)) return *grant;
  forbid(container);
}

void PodService::recall_grants(const Container& container) {
  constexpr size_t most = 16 << 20;
  const store::LocalStore& store = environments_.store();
  const Directory files(store.store_directory());
  for (const auto& [id, other] : containers_.all()) {
    if (pod_holder(other) != pod_holder(container)) continue;
    for (const auto& profile : store::leased_paths(store, id)) try {
        const std::string text = files.read_file(profile.base_name() + "/manifest.lock", most);
        grants_.add(pod_holder(container), env::Lockfile::parse(text));
      } catch (const Error& error) {
        log::warning("the lock of {}: {}", profile.base_name(), error.what());
      }
  }
}

void sweep_leases(const store::LocalStore& store, Containers& containers, Budgets& budgets, Grants& grants) {
  std::set<std::string> ids;
  auto known = containers.all();
  auto leases = store::list_leases(store);
  std::erase_if(leases, [](const auto& lease) { return lease.holder.starts_with(view_holder_prefix); });
  for (const auto& lease : leases)
    ids.insert(lease.holder.starts_with("pod-") ? lease.holder.substr(4) : lease.holder);
  for (const auto& [id, container] : known) ids.insert(id);
  std::set<std::string> pods = budgets.pods();
  pods.merge(grants.pods());
  for (const auto& pod : pods) ids.insert(pod.substr(4));
  for (const auto& [id, container] : known) ids.insert(container.pod_id);
  ids.erase("");
  if (ids.empty()) return;
  std::set<std::string> running = ids_of_running_processes(ids);
  std::set<std::string> young;
  for (const auto& [id, container] : known)
    if (container.prepared_at + start_grace > std::time(nullptr)) young.insert({id, container.pod_id});
  auto alive = [&](const std::string& id) { return running.contains(id) || young.contains(id); };
  for (const auto& lease : leases) {
    std::string id = lease.holder.starts_with("pod-") ? lease.holder.substr(4) : lease.holder;
    if (alive(id)) continue;
    log::info("lease of {} ended: none of its processes runs", lease.holder);
    store::release_lease(store, lease.holder);
  }
  for (const auto& [id, container] : known)
    if (!alive(id)) containers.remove(id);
  for (const auto& pod : pods) {
    if (alive(pod.substr(4))) continue;
    budgets.forget(pod);
    grants.forget(pod);
  }
}

void sweep_views(StoreViews& views, const Containers& containers) {
  constexpr std::chrono::minutes grace{10};  // the next container of a Deployment finds its view
  std::set<std::string> used;
  const auto known = containers.all();
  for (const auto& [id, container] : known) used.insert(container.view);
  views.sweep(used, grace);
}

}  // namespace flox::node
