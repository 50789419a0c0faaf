#include "node/floxd/pod_service.h"

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os/directory.h"
#include "base/printable.h"
#include "env/environment.h"
#include "store/gc/lease.h"

namespace flox::node {
namespace {

// It becomes part of the environment, so each text would be another one.
void check_system(std::string_view system) {
  if (system != env::current_system())
    fail(ErrorKind::invalid_input, "system '{}': this node is {}", printable(system, 60),
         env::current_system());
}

}  // namespace

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
                                   {.lane = Lane::pod,
                                    .limits = asked.limits(budgets_.left(pod)),
                                    .check_closure = asked.closure_check(),
                                    .gone = [&] { return !containers_.is_current(asking); }});
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
