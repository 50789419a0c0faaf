#include "node/floxd/services.h"

#include <ctime>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os/directory.h"
#include "base/printable.h"
#include "env/environment.h"
#include "node/floxd/first_process.h"
#include "store/gc/lease.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;

// A container's lease bears its id, and those of pods and views stand beside it: it may be none of theirs.
void check_container_id(std::string_view id) {
  if (id.empty()) fail(ErrorKind::invalid_input, "a container without id");
  for (const std::string_view taken : {std::string_view("pod-"), view_holder_prefix, kept_holder_prefix})
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

// Pins the single package of an annotated environment (FLOX_PACKAGE_VERSION), logs whose it is, and keeps
// what is proved of it.
class CatalogResolver : public env::Resolver {
 public:
  CatalogResolver(const Environments& environments, const PodAnswers* answers, std::string pod)
      : environments_(environments), answers_(answers), pod_(std::move(pod)) {}
  env::LockedPackage resolve(std::string_view id, const env::InstallDescriptor& descriptor,
                             std::string_view system) override {
    auto [package, origin] = environments_.resolve(id, descriptor, system, answers_);
    log::info("{}: package {} {}: {}", pod_, printable(package.attr_path), printable(package.version),
              catalog::to_string(origin));
    chosen_[package.attr_path] = policy::provenance_of(origin);
    return std::move(package);
  }
  const policy::PackageProvenances& chosen() const noexcept { return chosen_; }

 private:
  const Environments& environments_;
  const PodAnswers* answers_;
  std::string pod_;
  policy::PackageProvenances chosen_;
};

// What the container's request is to the policy.
policy::Start start_of(const v1::PrepareRequest& request, const Container& container) {
  policy::Start start{.subject = subject_of(container),
                      .environment = {},
                      .store_view = {},
                      .nix_mutable = request.nix_mutable()};
  const std::string& view = request.store_view();
  if (!view.empty() && view != "node" && view != "closure")
    fail(ErrorKind::invalid_input, "store-view '{}': it is node or closure", printable(view, 60));
  if (!view.empty()) start.store_view = view == "node" ? StoreView::node : StoreView::closure;
  if (!request.environment().empty())
    start.environment = in_context(fmt::format("environment '{}'", request.environment()),
                                   [&] { return policy::asked_for(request.environment()); });
  return start;
}

}  // namespace

v1::PrepareResponse NodeService::prepare(const v1::PrepareRequest& request,
                                         const std::function<bool()>& is_gone) {
  check_container_id(request.container_id());
  metrics_.prepared();
  const std::string account = policy_.service_account(
      {request.pod_namespace(), request.pod_name(), request.pod_uid()}, request.service_account_token());
  Container container{.id = request.container_id(),
                      .pod_id = request.pod_id(),
                      .pod_namespace = request.pod_namespace(),
                      .pod_name = request.pod_name(),
                      .name = request.container_name(),
                      .prepared_at = std::time(nullptr),
                      .view = {},
                      .service_account = account,
                      .pod_uid = request.pod_uid()};
  store::check_holder(container.id);  // what cannot hold a lease could neither be swept nor install
  store::check_holder(pod_holder(container));
  PodRequest asked(policy_, container, "start");
  try {
    asked.require_start(start_of(request, container));
    v1::PrepareResponse response = prepare(request, container, asked);
    if (is_gone && is_gone()) {
      give_up(container);
      fail(ErrorKind::unavailable, "the shim did not wait for container {}", container.id);
    }
    return response;
  } catch (const std::exception& error) {
    asked.failed(error);
    throw;
  }
}

v1::PrepareResponse NodeService::prepare(const v1::PrepareRequest& request, Container& container,
                                         PodRequest& asked) {
  const bool own_view = asked.terms().store_view == StoreView::closure || request.store_view() == "closure";
  containers_.expect(container);
  v1::PrepareResponse response;
  response.set_nix_mutable(request.nix_mutable());
  response.set_store_directory(environments_.store().store_directory());
  response.set_runtime_path(runtime_path_);
  response.set_pod_socket_directory(config_.pod_socket_dir);
  try {
    if (!request.environment().empty()) activate(request, container, asked, response);
    if (own_view) {
      const StoreViews::View view = views_.show(roots_of(container, response));
      container.view = view.name;
      response.set_store_directory(view.directory);
    }
    containers_.add(container);
  } catch (...) {
    give_up(container);
    throw;
  }
  if (response.profile().empty())
    asked.allowed();
  else
    asked.allowed(environments_.store(), nix::StorePath::parse(response.profile()));
  log::info("prepared container {} of pod {}/{}{}", request.container_name(), request.pod_namespace(),
            request.pod_name(),
            request.environment().empty() ? "" : ": environment " + request.environment());
  return response;
}

void NodeService::give_up(const Container& container) {
  if (!containers_.is_current(container)) return;  // it is being prepared once more
  containers_.remove(container.id);
  store::release_lease(environments_.store(), container.id);
}

NamedLock NodeService::lock_for(const v1::PrepareRequest& request, const env::Variables& variables,
                                const PodAnswers* answers, PodRequest& asked) const {
  NamedLock named = environments_.lock_of(request.environment(), answers);
  const std::string pod = fmt::format("pod {}/{}", request.pod_namespace(), request.pod_name());
  log::info("{}: environment {}: {}", pod, request.environment(), catalog::to_string(named.origin));
  const env::Lockfile published = named.lock;
  CatalogResolver resolver(environments_, answers, pod);
  if (auto version = variables.find("FLOX_PACKAGE_VERSION");
      version != variables.end() && !version->second.empty())
    named.lock =
        env::with_primary_version(published, named.name, version->second, env::current_system(), resolver);
  policy::Asked wanted = policy::asked_for(request.environment());
  wanted.answered = true;
  wanted.provenance = policy::provenance_of(named.origin);
  if (named.generation) wanted.version = std::to_string(*named.generation);
  asked.require_lock(wanted, published, named.lock, resolver.chosen());
  return named;
}

void NodeService::activate(const v1::PrepareRequest& request, const Container& container, PodRequest& asked,
                           v1::PrepareResponse& response) {
  in_context(fmt::format("environment '{}'", request.environment()), [&] {
    env::Variables variables = variables_of(request);
    std::string system = env::current_system();
    std::string mode = request.activate_mode().empty() ? "run" : request.activate_mode();
    check_mode(mode);
    const auto answers = answers_of(kept_, container, PodAnswers::First::kept);
    const NamedLock named = lock_for(request, variables, answers ? &*answers : nullptr, asked);
    const nix::StorePath profile = asked.within_limits([&] {
      return environments_.realise(named.lock, system, mode, request.container_id(),
                                   {.of_pod = false,
                                    .limits = asked.limits(Environments::limits_of_container()),
                                    .check_closure = asked.closure_check()});
    });
    if (answers) kept_.lease(answers->key, profile);
    grants_.add(pod_holder(container), named.lock);
    fs::path files = environments_.store().real_path(profile);
    env::Activation activation = env::activate({.name = named.name,
                                                .profile_link = profile.to_string(),
                                                .profile = files,
                                                .project = {},
                                                .cache = "/tmp",
                                                .mode = mode,
                                                .environment = variables});
    response.set_profile(profile.to_string());
    for (const auto& [key, value] : activation.environment) response.add_env(key + "=" + value);

    std::vector<std::string> args =
        first_process({.path = profile, .files = files, .mode = mode},
                      {request.args().begin(), request.args().end()}, runtime_path_);
    for (auto& arg : args) response.add_args(std::move(arg));
  });
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

void PodService::require_install(const Container& container, PodRequest& asked) const {
  in_context(fmt::format("pod {}/{} may not install packages", container.pod_namespace, container.pod_name),
             [&] { asked.require_install(); });
}

template <typename Response, typename Request>
Response PodService::decided(const Request& request, const Container& asking, std::string_view event,
                             Response (PodService::*call)(const Request&, const Container&, PodRequest&)) {
  check_current(asking);
  PodRequest asked(policy_, asking, event);
  try {
    asked.require_standing();
    return (this->*call)(request, asking, asked);
  } catch (const std::exception& error) {
    asked.failed(error);
    if (asked.denied()) budgets_.refused(Budget::policy);
    throw;
  }
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
  return decided(request, asking, "resolve", &PodService::resolve_decided);
}

pod::v1::RealiseResponse PodService::realise(const pod::v1::RealiseRequest& request,
                                             const Container& asking) {
  return decided(request, asking, "realise", &PodService::realise_decided);
}

pod::v1::ResolveResponse PodService::resolve_decided(const pod::v1::ResolveRequest& request,
                                                     const Container& asking, PodRequest& asked) {
  constexpr JsonLimits limits{.bytes = 16 << 10, .depth = 8, .values = 256};
  constexpr size_t longest_name = 256;
  if (request.install_id().size() > longest_name || request.system().size() > longest_name)
    fail(ErrorKind::invalid_input, "an install id or a system of more than {} bytes", longest_name);
  const auto descriptor_json = parse_json(request.descriptor_json(), "the descriptor", limits);
  if (!descriptor_json.is_object()) fail(ErrorKind::invalid_input, "the descriptor is not a JSON object");
  auto manifest = env::Manifest::from_json({{"install", {{request.install_id(), descriptor_json}}}});
  const env::InstallDescriptor& descriptor = manifest.install.at(request.install_id());
  // What the node gives the namespace itself, in whatever version, is allowed, unless something denies it.
  const std::string own = default_of(asking);
  const bool given = !own.empty() && env::parse_package(own).descriptor.pkg_path == descriptor.pkg_path;
  if (!given) require_install(asking, asked);
  const auto answers = answers_of(kept_, asking, PodAnswers::First::catalog);
  const auto [package, origin] = environments_.resolve(request.install_id(), descriptor, request.system(),
                                                       answers ? &*answers : nullptr);
  log::info("pod {}/{}: package {} {}: {}", asking.pod_namespace, asking.pod_name,
            printable(package.attr_path), printable(package.version), catalog::to_string(origin));
  policy::Asked wanted = policy::asked_of(package, policy::provenance_of(origin));
  wanted.name = descriptor.pkg_path;
  if (given)
    asked.require_part(wanted);
  else
    asked.require(wanted);
  if (given) grants_.add_package(pod_holder(asking), env::parse_package(own).install_id, package);
  names_.remember(package, wanted.provenance);
  asked.allowed();
  pod::v1::ResolveResponse response;
  response.set_package_json(package.json.dump());
  return response;
}

pod::v1::RealiseResponse PodService::realise_decided(const pod::v1::RealiseRequest& request,
                                                     const Container& asking, PodRequest& asked) {
  check_mode(request.mode());
  check_system(request.system());
  const std::string pod = pod_holder(asking);
  budgets_.check_lock_size(request.lock_json());
  // Tighter than what a lock may be in general: no environment that people make comes near.
  constexpr JsonLimits limits{.bytes = 4 << 20, .depth = 32, .values = 64 << 10};
  env::Lockfile lock = env::Lockfile::parse(request.lock_json(), "the lock", limits);
  lock = allowed_lock(asking, lock, request.system(), asked);
  const Budgets::Claim claim = budgets_.claim(pod, lock, request.mode());
  pod::v1::RealiseResponse response;
  try {
    // Leased to the pod: what its init container installs, its other containers run.
    const nix::StorePath profile = asked.within_limits([&] {
      return environments_.realise(lock, request.system(), request.mode(), pod,
                                   {.of_pod = true,
                                    .limits = asked.limits(budgets_.left(pod)),
                                    .check_closure = asked.closure_check()});
    });
    budgets_.realised(pod, profile, lock, request.mode());
    asked.allowed(environments_.store(), profile);
    response.set_profile(profile.to_string());
  } catch (...) {
    budgets_.failed(pod, lock, request.system());
    throw;
  }
  // If it has ended meanwhile, nobody would end its lease before the next sweep.
  check_current(asking);
  return response;
}

std::optional<env::Lockfile> PodService::granted(const Container& container, const env::Lockfile& wanted,
                                                 std::string_view system) {
  const std::string pod = pod_holder(container);
  if (auto grant = grants_.find(pod, wanted, system)) return grant;
  recall_grants(container);
  return grants_.find(pod, wanted, system);
}

env::Lockfile PodService::allowed_lock(const Container& container, const env::Lockfile& wanted,
                                       std::string_view system, PodRequest& asked) {
  if (asked.terms().install && !asked.names_count()) return wanted;
  const auto own = answers_of(kept_, container, PodAnswers::First::catalog);
  const PodAnswers* const answers = own ? &*own : nullptr;
  if (auto grant = granted(container, wanted, system)) {
    for (const auto& package : grant->for_system(system))
      asked.require_part(policy::asked_of(
          package, asked.owners_count() ? names_.provenance_of(package, answers) : policy::Provenance()));
    return *std::move(grant);
  }
  require_install(container, asked);
  constexpr size_t most = 256;  // each may be a question to the catalog
  const auto packages = wanted.for_system(system);
  if (packages.size() > most)
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("the lock has {} packages: with a policy a pod's may have {}", packages.size(), most),
        "Publish the environment, and name it in the annotation flox.dev/environment.");
  for (const auto& package : packages)
    for (const policy::Asked& part : names_.asked_with(package, answers)) asked.require(part);
  return wanted;
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

}  // namespace flox::node
