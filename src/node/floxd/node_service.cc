#include "node/floxd/node_service.h"

#include <algorithm>
#include <ctime>

#include "base/error.h"
#include "base/log.h"
#include "base/log_fields.h"
#include "base/printable.h"
#include "env/environment.h"
#include "node/floxd/first_process.h"
#include "node/floxd/lease_holders.h"
#include "node/floxd/stage_timer.h"
#include "store/gc/lease.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;

// A container's lease bears its id: it may be none of the others'.
void check_container_id(std::string_view id) {
  if (id.empty()) fail(ErrorKind::invalid_input, "a container without id");
  const auto refuse = [&](std::string_view taken) {
    if (id.starts_with(taken))
      throw Error(ErrorKind::invalid_input,
                  fmt::format("'{}' cannot be a container's id: floxd keeps names with '{}' for itself",
                              printable(id, 60), taken),
                  "Give the container another id.");
  };
  refuse(pod_holder_prefix);
  std::ranges::for_each(other_holder_prefixes, refuse);
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

// What was resolved, for reports.
RunEnvironment run_environment(const std::string& reference, const NamedLock& named) {
  if (!named.generation || !catalog::is_environment_name(reference)) return {};
  const catalog::EnvironmentName name = catalog::parse_environment_name(reference);
  return {.owner = name.owner, .name = name.name, .generation = *named.generation};
}

// By OpenTelemetry's names.
void describe(const v1::PrepareRequest& request, trace::Span& span) {
  if (!span.is_recorded()) return;
  const auto set = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) span.set(name, printable(value, 300));
  };
  set("k8s.namespace.name", request.pod_namespace());
  set("k8s.pod.name", request.pod_name());
  set("k8s.pod.uid", request.pod_uid());
  set("k8s.container.name", request.container_name());
  set("container.id", request.container_id());
  set("flox.environment", request.image_id().empty() ? request.environment() : request.image_environment());
}

// In hexadecimal, of the trace that this thread works for; empty: none.
std::string current_trace_id() {
  const auto context = trace::Span::current();
  return context ? trace::hex(context->trace) : std::string();
}

}  // namespace

v1::PrepareResponse NodeService::prepare(const v1::PrepareRequest& request, const IsGone& is_gone,
                                         std::string_view traceparent,
                                         std::shared_ptr<StartLog::Start> start) {
  if (start == nullptr && takes_time(request)) start = starts_.begin(request);
  std::optional<StartLog::Start::Turn> turn;
  if (start != nullptr) turn.emplace(*start);
  StageTimer timer(metrics_, Stage::prepare, spans_, trace::parse_traceparent(traceparent));
  describe(request, timer.span());
  const std::string trace_id = current_trace_id();
  const log::Fields fields{{"namespace", request.pod_namespace()},
                           {"pod", request.pod_name()},
                           {"container", request.container_name()},
                           {"trace_id", trace_id}};
  if (start != nullptr) start->belongs_to(trace_id);
  try {
    v1::PrepareResponse response = prepare_logged(request, is_gone);
    if (start != nullptr) start->prepared(response.profile());
    return response;
  } catch (const std::exception& error) {
    if (start != nullptr) start->failed(error);
    throw;
  }
}

v1::PrepareResponse NodeService::prepare_logged(const v1::PrepareRequest& request, const IsGone& is_gone) {
  check_container_id(request.container_id());
  metrics_.prepared();
  if (request.image_id().empty()) return prepare(request, nullptr, is_gone);
  if (!request.environment().empty())
    fail(ErrorKind::invalid_input,
         "the container has an image that is an environment, and names another one");
  return in_context(fmt::format("image of {}", printable(request.image_environment(), 300)), [&] {
    const auto kept = images_.of_container(request.image_id(), request.image_environment());
    v1::PrepareRequest named = request;
    named.set_environment(kept->image.environment);
    return prepare(named, &kept->image, is_gone);
  });
}

v1::PrepareResponse NodeService::prepare(const v1::PrepareRequest& request, const EnvironmentImage* image,
                                         const IsGone& is_gone) {
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
                      .pod_uid = request.pod_uid(),
                      .by_nri = request.by_nri()};
  store::check_holder(container.id);  // what cannot hold a lease could neither be swept nor install
  store::check_holder(pod_holder(container));
  PodRequest asked(policy_, container, "start");
  try {
    asked.require_start(start_of(request, container));
    v1::PrepareResponse response = prepare(request, image, container, is_gone, asked);
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

v1::PrepareResponse NodeService::prepare(const v1::PrepareRequest& request, const EnvironmentImage* image,
                                         Container& container, const IsGone& is_gone, PodRequest& asked) {
  const bool own_view = asked.terms().store_view == StoreView::closure || request.store_view() == "closure";
  environments_.require_store();
  containers_.expect(container);
  v1::PrepareResponse response;
  response.set_nix_mutable(request.nix_mutable());
  response.set_runtime_path(runtime_path_);
  try {
    response.set_pod_socket_directory(pod_socket_.shown());
    if (!own_view) response.set_store_directory(views_.whole());
    if (!request.environment().empty()) activate(request, image, container, is_gone, asked, response);
    add_volumes(request, container, is_gone, response);
    if (own_view && container.view.empty()) {
      const StageTimer view_timer(metrics_, Stage::view);
      const StoreViews::View view = views_.show(roots_of(container, response));
      container.view = view.name;
      response.set_store_directory(view.directory);
    }
    containers_.add(container);
  } catch (...) {
    give_up(container);
    throw;
  }
  if (response.profile().empty()) asked.allowed();
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

NamedLock NodeService::lock_for(const v1::PrepareRequest& request, const EnvironmentImage* image,
                                const env::Variables& variables, const PodAnswers* answers,
                                PodRequest& asked) const {
  const StageTimer timer(metrics_, Stage::resolve);
  NamedLock named = image == nullptr ? environments_.lock_of(request.environment(), answers)
                                     : NamedLock{image->name, image->lock, std::nullopt, image->generation};
  const std::string pod = fmt::format("pod {}/{}", request.pod_namespace(), request.pod_name());
  log::info("{}: environment {}: {}", pod, request.environment(),
            image == nullptr ? catalog::to_string(named.origin) : printable(image->proved_by));
  const env::Lockfile published = named.lock;
  CatalogResolver resolver(environments_, answers, pod);
  if (auto version = variables.find("FLOX_PACKAGE_VERSION");
      version != variables.end() && !version->second.empty())
    named.lock =
        env::with_primary_version(published, named.name, version->second, env::current_system(), resolver);
  policy::Asked wanted = policy::asked_for(request.environment());
  wanted.answered = true;
  wanted.provenance = image == nullptr ? policy::provenance_of(named.origin) : image->provenance;
  if (named.generation) wanted.version = std::to_string(*named.generation);
  asked.require_lock(wanted, published, named.lock, resolver.chosen());
  return named;
}

// A shim that has given up comes again, as long as its pod is there: what is on its way goes on for it.
UnderWay::Gone NodeService::when_gone(const v1::PrepareRequest& request, const IsGone& is_gone) {
  return [this, sandbox = request.pod_id(), is_gone] {
    switch (sandbox.empty() ? Presence::unseen : presence_.of(sandbox)) {
      case Presence::runs:
        return false;
      case Presence::ended:
        return true;
      case Presence::unseen:
        return is_gone && is_gone();
    }
    return false;
  };
}

nix::StorePath NodeService::realise(const env::Lockfile& lock, std::string_view mode,
                                    const v1::PrepareRequest& request, const IsGone& is_gone,
                                    PodRequest& asked) {
  return asked.within_limits([&] {
    return environments_.realise(lock, env::current_system(), mode, request.container_id(),
                                 {.limits = asked.limits(Environments::limits_of_container()),
                                  .check_closure = asked.closure_check(),
                                  .gone = when_gone(request, is_gone),
                                  .on_progress = [start = StartLog::Start::current()](const auto& progress) {
                                    if (start != nullptr) start->progress(progress);
                                  }});
  });
}

std::optional<LazyStarts::Started> NodeService::start_lazily(const env::Lockfile& lock, std::string_view mode,
                                                             const v1::PrepareRequest& request,
                                                             const Container& container,
                                                             const IsGone& is_gone, PodRequest& asked) {
  const std::string& wish = request.lazy();
  if (!wish.empty() && wish != "true" && wish != "false")
    fail(ErrorKind::invalid_input, "lazy '{}': it is true or false", printable(wish, 60));
  if (wish == "false" || (wish.empty() && config_.lazy_start != LazyStart::always)) return std::nullopt;
  const std::string system = env::current_system();
  if (environments_.has_packages(lock, system)) return std::nullopt;  // nothing to wait for
  const auto is_eager = [&](const std::string& why) -> std::optional<LazyStarts::Started> {
    if (auto* start = StartLog::Start::current()) start->eager(why);
    log::warning("container {} waits for all of its files: {}", request.container_name(), why);
    metrics_.started_lazily(false);
    return std::nullopt;
  };
  if (config_.lazy_start == LazyStart::never) return is_eager("the node's setting lazy_start is \"never\"");
  if (!environments_.is_writer()) return is_eager("another node writes this node's store");
  if (request.volumes_size() > 0) return is_eager("it has volumes that are environments");
  if (request.store_view() == "node") return is_eager("it is to see the whole store (flox.dev/store-view)");
  nix::StorePathSet beside{nix::StorePath::parse(runtime_path_)};
  beside.merge(store::leased_paths(environments_.store(), pod_holder(container)));
  const bool has_check = static_cast<bool>(asked.closure_check());
  try {
    LazyStarts::Started started =
        lazy_.start({.lock = lock,
                     .system = system,
                     .mode = std::string(mode),
                     .reference = request.environment(),
                     .holder = request.container_id(),
                     .tenant = tenant_of(container),
                     .limits = asked.limits(Environments::limits_of_container()),
                     .beside = std::move(beside),
                     .check = has_check ? [&asked](const nix::StorePathSet& closure,
                                                   uint64_t size) { asked.check_closure(closure, size); }
                                        : std::function<void(const nix::StorePathSet&, uint64_t)>(),
                     .gone = when_gone(request, is_gone)});
    if (auto* start = StartLog::Start::current()) start->lazy(started.begin, started.progress);
    metrics_.started_lazily(true);
    return started;
  } catch (const LazyStarts::Unsuitable& unsuitable) {
    if (unsuitable.why.empty()) return std::nullopt;  // it has come meanwhile
    return is_eager(unsuitable.why);
  }
}

void NodeService::activate(const v1::PrepareRequest& request, const EnvironmentImage* image,
                           Container& container, const IsGone& is_gone, PodRequest& asked,
                           v1::PrepareResponse& response) {
  in_context(fmt::format("environment '{}'", request.environment()), [&] {
    env::Variables variables = variables_of(request);
    std::string mode = request.activate_mode().empty() ? "run" : request.activate_mode();
    check_mode(mode);
    auto answers = answers_of(kept_, container, PodAnswers::First::kept);
    if (answers) answers->prefetched = prefetched_answers(request.environment()).key();
    const NamedLock named = lock_for(request, image, variables, answers ? &*answers : nullptr, asked);
    container.environment = run_environment(request.environment(), named);
    const auto lazy = start_lazily(named.lock, mode, request, container, is_gone, asked);
    const nix::StorePath profile =
        lazy ? lazy->profile.path : realise(named.lock, mode, request, is_gone, asked);
    if (lazy) {
      container.view = lazy->view.name;
      response.set_store_directory(lazy->view.directory);
      asked.allowed(lazy->profile);
    } else {
      if (answers) kept_.lease(answers->key, profile);
      asked.allowed(environments_.store(), profile);
    }
    prefetches_.used(profile);  // the pod's lease has it now
    grants_.add(pod_holder(container), named.lock);
    const StageTimer timer(metrics_, Stage::activate);
    const fs::path files = lazy ? lazy->files : environments_.store().real_path(profile);
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

void NodeService::add_volumes(const v1::PrepareRequest& request, const Container& container,
                              const IsGone& is_gone, v1::PrepareResponse& response) {
  constexpr int most = 256;
  if (request.volumes_size() > most) fail(ErrorKind::invalid_input, "more than {} volumes", most);
  for (const v1::ImageVolume& volume : request.volumes())
    in_context(fmt::format("volume of {}", printable(volume.image_environment(), 300)), [&] {
      const auto kept = images_.of_container(volume.image_id(), volume.image_environment());
      PodRequest asked(policy_, container, "volume");
      try {
        response.add_volume_directories(volume_directory(kept->image, request, is_gone, asked));
      } catch (const std::exception& error) {
        asked.failed(error);
        throw;
      }
    });
}

std::string NodeService::volume_directory(const EnvironmentImage& image, const v1::PrepareRequest& request,
                                          const IsGone& is_gone, PodRequest& asked) {
  policy::Asked wanted = policy::asked_for(image.environment);
  wanted.answered = true;
  wanted.provenance = image.provenance;
  asked.require_standing();
  asked.require_lock(wanted, image.lock, image.lock, {});
  nix::StorePathSet paths;
  for (const auto& package : image.lock.for_system(env::current_system()))
    for (const auto& path : package.store_paths()) paths.insert(path);
  if (request.volumes_only() && paths.size() != 1)
    throw Error(ErrorKind::invalid_input, "its files are links into /nix/store, which this container has not",
                "Name a package of one output, or make the container's own image an environment.");
  const nix::StorePath profile = realise(image.lock, "run", request, is_gone, asked);
  prefetches_.used(profile);
  const nix::StorePath shown = paths.size() == 1 ? *paths.begin() : profile;
  asked.allowed(environments_.store(), shown);
  return views_.whole() / shown.base_name();
}

nix::StorePathSet NodeService::roots_of(const Container& container,
                                        const v1::PrepareResponse& response) const {
  nix::StorePathSet roots{nix::StorePath::parse(runtime_path_)};
  if (!response.profile().empty()) roots.insert(nix::StorePath::parse(response.profile()));
  roots.merge(store::leased_paths(environments_.store(), container.id));  // its volumes
  roots.merge(store::leased_paths(environments_.store(), pod_holder(container)));
  return roots;
}

void NodeService::adopt(const v1::PrepareRequest& identity, const std::string& store_directory,
                        const std::string& profile) {
  check_container_id(identity.container_id());
  if (containers_.told_by_nri(identity.container_id())) return;
  const nix::StorePath path = nix::StorePath::parse(profile);
  const std::string view = views_.name_at(store_directory).value_or("");
  if (view.empty() && !views_.is_whole(store_directory))
    fail(ErrorKind::invalid_input, "its /nix/store is not this node's");
  if (!lazy_.has(view) &&
      !store::add_lease_of_present(environments_.store(), identity.container_id(), {path}))
    fail(ErrorKind::not_found, "{} is not in the store any more", path.to_string());
  containers_.add({.id = identity.container_id(),
                   .pod_id = identity.pod_id(),
                   .pod_namespace = identity.pod_namespace(),
                   .pod_name = identity.pod_name(),
                   .name = identity.container_name(),
                   .prepared_at = std::time(nullptr),
                   .view = view,
                   .service_account = {},
                   .pod_uid = identity.pod_uid(),
                   .by_nri = true});
}

v1::ReleaseResponse NodeService::release(const v1::ReleaseRequest& request) {
  check_container_id(request.container_id());
  v1::ReleaseResponse response;
  if (const auto container = containers_.remove(request.container_id());
      container && !container->view.empty())
    response.set_unread(lazy_.why_unread(container->view));
  store::release_lease(environments_.store(), request.container_id());
  return response;
}

}  // namespace flox::node
