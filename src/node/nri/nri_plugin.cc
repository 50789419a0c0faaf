#include "node/nri/nri_plugin.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/at_or_below.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/printable.h"
#include "imageless/annotations.h"
#include "imageless/reserved_places.h"
#include "imageless/spec_edit.h"
#include "node/nri/nri.ttrpc.h"
#include "node/nri/nri_connection.h"
#include "node/nri/wait_budgets.h"

namespace flox::node {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using Clock = WaitBudgets::Clock;

namespace {

// The name by which containerd's required_plugins knows us, and our place among plugins: late, so that what
// others add is seen.
constexpr const char* plugin_name = "flox";
constexpr const char* plugin_index = "90";
constexpr milliseconds registration_time{5000};
constexpr milliseconds usual_request_time{2000};  // containerd's default
constexpr milliseconds pause_between{250};        // attempts to connect
constexpr size_t most_containers = 10'000;        // of a node; a kubelet's limit is some hundred pods

int32_t bit_of(nri_api::Event event) { return 1 << (static_cast<int>(event) - 1); }

void warn(const std::string& text) { log::warning("{}", text); }

std::string name_of(const nri_api::PodSandbox& pod, const nri_api::Container& container) {
  return printable(fmt::format("{}/{}/{}", pod.namespace_(), pod.name(), container.name()), 300);
}

bool has_annotations_of_ours(const nri_api::PodSandbox& pod) {
  return std::ranges::any_of(pod.annotations(),
                             [](const auto& entry) { return entry.first.starts_with("flox.dev/"); });
}

std::string image_of(const nri_api::Container& container) {
  const auto found = container.annotations().find("io.kubernetes.cri.image-name");
  return found == container.annotations().end() ? "" : found->second;
}

// Nothing is read for this: image_volumes_of() looks whether there is a marker.
bool may_have_image_volume(const nri_api::PodSandbox& pod, const nri_api::Container& container) {
  const std::string place = fmt::format("/image-volumes/{}/", pod.id());
  return std::ranges::any_of(container.mounts(), [&](const nri_api::Mount& mount) {
    return mount.source().find(place) != std::string::npos;
  });
}

// What only the shim can do.
void check_possible(const oci::RuntimeSpec& spec) {
  const char* const advice = "Leave it out, or give the pod runtimeClassName: flox.";
  if (spec.annotation(imageless::mutable_annotation) == "true")
    throw Error(ErrorKind::invalid_input,
                fmt::format("annotation {} needs the runtime handler flox", imageless::mutable_annotation),
                advice);
  if (imageless::annotation_lists(spec, "flox.dev/skip-containers-exec", imageless::container_name(spec)))
    throw Error(ErrorKind::invalid_input,
                "annotation flox.dev/skip-containers-exec needs the runtime handler flox", advice);
}

// Where a stub image has nothing: programs, certificates and /tmp, each unless the pod has something there.
void furnish(const v1::PrepareResponse& answer, oci::RuntimeSpec& spec) {
  namespace fs = std::filesystem;
  const std::vector<std::string> places = spec.places();
  const auto is_free = [&](std::string_view place) {
    return std::ranges::none_of(places, [&](const std::string& taken) {
      return is_at_or_below(imageless::normalised_path(taken), place);
    });
  };
  const fs::path runtime = fs::path(answer.store_directory()) / fs::path(answer.runtime_path()).filename();
  const std::vector<std::string> options = {"rbind", "rprivate", "ro", "nosuid", "nodev"};
  for (const auto& [place, source] :
       {std::pair("/bin", "bin"), std::pair("/usr/bin", "bin"), std::pair("/etc/ssl", "etc/ssl")})
    if (is_free(place)) spec.add_mount({place, "bind", runtime / source, options});
  if (is_free("/tmp"))
    spec.add_mount({"/tmp", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777", "size=50%"}});
}

}  // namespace

class NriPlugin::State : public std::enable_shared_from_this<State> {
 public:
  State(asio::any_io_executor executor, NriOptions options, NriHost host)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        host_(std::move(host)),
        pause_(executor_) {}

  asio::awaitable<void> run() {
    const auto self = shared_from_this();
    std::string last;  // what was logged last
    while (!ended_) {
      try {
        co_await serve();
      } catch (const std::exception& error) {
        host_.connected(false);
        if (const std::string what = message_of(error); !ended_ && what != last) {
          log::warning("containerd's plugin socket: {}: pods without the runtime handler flox get nothing",
                       what);
          last = what;
        }
      }
      if (was_connected_) last.clear();
      was_connected_ = false;
      if (ended_) co_return;
      pause_.expires_after(pause_between);
      boost::system::error_code ignored;
      co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
  }

  void end() {
    ended_ = true;
    pause_.cancel();
    if (connection_) connection_->close();
  }

 private:
  asio::awaitable<void> serve() {
    connection_ = std::make_shared<NriConnection>(executor_, options_.socket);
    handle(connection_->server());
    synchronising_.clear();
    nri_api::RegisterPluginRequest plugin;
    plugin.set_plugin_name(plugin_name);
    plugin.set_plugin_idx(plugin_index);
    co_await connection_->run(std::move(plugin), registration_time);
  }

  void handle(ttrpc::Server& server) {
    using Plugin = nri_api::Plugin;
    const auto self = shared_from_this();
    server.handle(Plugin::Configure,
                  [self](nri_api::ConfigureRequest request, ttrpc::Call)
                      -> asio::awaitable<nri_api::ConfigureResponse> { co_return self->configure(request); });
    server.handle(Plugin::Synchronize,
                  [self](nri_api::SynchronizeRequest request,
                         ttrpc::Call) -> asio::awaitable<nri_api::SynchronizeResponse> {
                    co_return self->synchronise(std::move(request));
                  });
    server.handle(Plugin::CreateContainer,
                  [self](nri_api::CreateContainerRequest request,
                         ttrpc::Call call) -> asio::awaitable<nri_api::CreateContainerResponse> {
                    return self->create(std::move(request), std::move(call));
                  });
    server.handle(Plugin::StopContainer,
                  [self](nri_api::StopContainerRequest request,
                         ttrpc::Call) -> asio::awaitable<nri_api::StopContainerResponse> {
                    self->host_.release(request.container().id());
                    co_return nri_api::StopContainerResponse();
                  });
    server.handle(
        Plugin::RemoveContainer,
        [self](nri_api::RemoveContainerRequest request, ttrpc::Call) -> asio::awaitable<nri_api::Empty> {
          self->host_.release(request.container().id());
          co_return nri_api::Empty();
        });
    server.handle(Plugin::StateChange,
                  [self](nri_api::StateChangeEvent event, ttrpc::Call) -> asio::awaitable<nri_api::Empty> {
                    if (event.event() == nri_api::REMOVE_CONTAINER)
                      self->host_.release(event.container().id());
                    co_return nri_api::Empty();
                  });
    server.handle(Plugin::Shutdown, [](nri_api::Empty, ttrpc::Call) -> asio::awaitable<nri_api::Empty> {
      co_return nri_api::Empty();
    });
  }

  nri_api::ConfigureResponse configure(const nri_api::ConfigureRequest& request) {
    abilities_ = NriAbilities::of(request.runtime_name(), request.runtime_version());
    request_time_ =
        request.request_timeout() > 0 ? milliseconds(request.request_timeout()) : usual_request_time;
    log::info("a plugin of {} {} at {}", printable(request.runtime_name(), 40),
              printable(request.runtime_version(), 40), options_.socket.string());
    nri_api::ConfigureResponse response;
    response.set_events(bit_of(nri_api::CREATE_CONTAINER) | bit_of(nri_api::STOP_CONTAINER) |
                        bit_of(nri_api::REMOVE_CONTAINER));
    return response;
  }

  nri_api::SynchronizeResponse synchronise(nri_api::SynchronizeRequest request) {
    for (auto& pod : *request.mutable_pods()) pods_[pod.id()] = std::move(pod);
    for (const auto& container : request.containers())
      if (auto known = known_container(container)) synchronising_.push_back(*std::move(known));
    if (pods_.size() + synchronising_.size() > most_containers)
      fail(ErrorKind::invalid_input, "more than {} pods and containers", most_containers);
    nri_api::SynchronizeResponse response;
    response.set_more(request.more());
    if (request.more()) return response;
    pods_.clear();
    was_connected_ = true;
    host_.connected(true);
    host_.synchronise(std::exchange(synchronising_, {}));
    return response;
  }

  // A container that runs, or will, and is ours by its pod's annotations.
  std::optional<NriContainer> known_container(const nri_api::Container& container) const {
    const auto pod = pods_.find(container.pod_sandbox_id());
    if (container.state() == nri_api::CONTAINER_STOPPED || container.state() == nri_api::CONTAINER_UNKNOWN ||
        pod == pods_.end() || !may_concern(pod->second, container))
      return std::nullopt;
    try {
      const oci::RuntimeSpec spec = spec_of(pod->second, container);
      const bool is_ours = !imageless::is_skipped(spec) && !imageless::environment_of(spec).empty();
      if (!is_ours && imageless::image_volumes_of(spec).empty()) return std::nullopt;
      NriContainer known;
      known.identity = imageless::identity_of(container.id(), spec);
      known.identity.set_by_nri(true);
      known.identity.set_volumes_only(!is_ours);
      known.store = spec.mount_source("/nix/store");
      known.profile = oci::get_variable(spec.process().env(), "FLOX_ENV").value_or("");
      return known;
    } catch (const Error& error) {
      log::warning("{}: {}", name_of(pod->second, container), error.what());
      return std::nullopt;
    }
  }

  bool may_concern(const nri_api::PodSandbox& pod, const nri_api::Container& container) const {
    if (std::ranges::find(options_.other_handlers, pod.runtime_handler()) != options_.other_handlers.end())
      return false;
    return has_annotations_of_ours(pod) || image_of(container).starts_with("flox.local/") ||
           may_have_image_volume(pod, container);
  }

  // Within containerd's time. What takes longer goes on, and the kubelet's next attempt finds it. Of a
  // container that does not concern us nothing is done, and nothing that another one does delays it. Each
  // attempt has a new container id: one of them works, and the others are told at once to come again, so that
  // a slow environment piles up no requests and holds containerd's lock no longer than one attempt does.
  asio::awaitable<nri_api::CreateContainerResponse> create(nri_api::CreateContainerRequest request,
                                                           ttrpc::Call call) {
    if (!may_concern(request.pod(), request.container())) co_return nri_api::CreateContainerResponse();
    const std::string tenant = host_.tenant_of(request.pod().namespace_(), request.pod().id());
    const milliseconds limit = limit_of(call, tenant);
    ContainerName name{request.pod().id(), request.container().name()};
    if (limit == milliseconds::zero() || !under_way_.insert(name).second) refuse_for_now(request);
    const auto work = std::make_shared<Work>(executor_, std::move(request), abilities_);
    work->timer.expires_after(limit);
    const auto begin = Clock::now();
    host_.run(tenant, [self = shared_from_this(), work, name = std::move(name)] {
      try {
        work->response = self->adjust(*work);
      } catch (...) {
        work->error = std::current_exception();
      }
      asio::post(self->executor_, [self, work, name] {
        self->under_way_.erase(name);
        work->ended = true;
        work->timer.cancel();
      });
    });
    boost::system::error_code ignored;
    co_await work->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const auto now = Clock::now();
    waits_.charge(tenant, std::chrono::duration_cast<milliseconds>(now - begin), !work->ended, now);
    if (!work->ended) work->gone = true;
    co_return outcome_of(*work);
  }

  // One container that is to be made: `ended` says whose the other members are, the plugin's or a thread's.
  struct Work {
    Work(const asio::any_io_executor& executor, nri_api::CreateContainerRequest asked, NriAbilities can)
        : timer(executor), request(std::move(asked)), abilities(can) {}
    asio::steady_timer timer;
    const nri_api::CreateContainerRequest request;
    const NriAbilities abilities;
    std::atomic<bool> gone = false;
    bool ended = false;
    nri_api::CreateContainerResponse response;
    std::exception_ptr error;
  };

  [[noreturn]] void refuse_for_now(const nri_api::CreateContainerRequest& request) const {
    host_.counted(NriOutcome::waiting);
    log::info("{}: its packages are still being fetched", name_of(request.pod(), request.container()));
    throw Error(ErrorKind::unavailable, "the container's packages are not all on this node yet",
                "They are being fetched: the kubelet's next attempt finds what has come by then.");
  }

  nri_api::CreateContainerResponse outcome_of(Work& work) const {
    if (!work.ended) refuse_for_now(work.request);
    const std::string who = name_of(work.request.pod(), work.request.container());
    if (!work.error) {
      if (work.response.has_adjust()) host_.counted(NriOutcome::prepared);
      return std::move(work.response);
    }
    host_.counted(NriOutcome::refused);
    try {
      std::rethrow_exception(work.error);
    } catch (const std::exception& error) {
      log::warning("{}: {}", who, message_of(error));
      throw;
    }
  }

  // A part of containerd's time: it gives a plugin up that does not answer, and makes the container as if
  // there were none; and of the tenant's budget.
  milliseconds limit_of(const ttrpc::Call& call, const std::string& tenant) {
    milliseconds time = request_time_;
    if (call.timeout.count() > 0)
      time = std::min(time, std::chrono::duration_cast<milliseconds>(call.timeout));
    return waits_.limit_of(tenant, time / 2, Clock::now());
  }

  // On a thread that may block.
  nri_api::CreateContainerResponse adjust(const Work& work) const {
    const nri_api::Container& container = work.request.container();
    const oci::RuntimeSpec before = spec_of(work.request.pod(), container);
    imageless::check_annotations(before);
    const bool is_skipped = imageless::is_skipped(before);
    const bool is_ours = !is_skipped && !imageless::environment_of(before).empty();
    if (!is_ours && !is_skipped && image_of(container).starts_with("flox.local/"))
      throw Error(ErrorKind::invalid_input,
                  fmt::format("image {} is an environment, and only the runtime handler flox can run it",
                              printable(image_of(container), 300)),
                  "Give the pod runtimeClassName: flox, or name the environment in annotation "
                  "flox.dev/environment and take another image.");
    const imageless::Images images{.image = {}, .volumes = imageless::image_volumes_of(before)};
    nri_api::CreateContainerResponse response;
    if (!is_ours && images.volumes.empty()) return response;
    oci::RuntimeSpec after = spec_of(work.request.pod(), container);
    if (is_ours) {
      check_possible(before);
      imageless::check_places(before, imageless::normalised_path);
      const bool is_stub = imageless::has_stub_image(before);
      oci::Environment environment = imageless::first_environment(before.process(), !is_stub);
      const auto asked = imageless::request_for(container.id(), before, images, environment, warn);
      const v1::PrepareResponse answer = prepare(asked, work);
      imageless::check_answer(asked, answer);
      imageless::mount_store(answer, after);
      imageless::mount_volumes(answer, images.volumes, after);
      imageless::activate(answer, after, environment);
      if (is_stub) furnish(answer, after);
    } else {
      const auto asked = imageless::request_for_volumes(container.id(), before, images.volumes, warn);
      imageless::mount_volumes(prepare(asked, work), images.volumes, after);
    }
    *response.mutable_adjust() = adjustment_of(before, after, work.abilities);
    return response;
  }

  v1::PrepareResponse prepare(v1::PrepareRequest request, const Work& work) const {
    request.set_by_nri(true);
    return host_.prepare(request, [&work] { return work.gone.load(); });
  }

  const asio::any_io_executor executor_;
  const NriOptions options_;
  const NriHost host_;
  asio::steady_timer pause_;
  std::shared_ptr<NriConnection> connection_;
  NriAbilities abilities_;
  milliseconds request_time_ = usual_request_time;
  std::map<std::string, nri_api::PodSandbox> pods_;  // while they are told
  std::vector<NriContainer> synchronising_;
  using ContainerName = std::pair<std::string, std::string>;  // its pod's id, and its name there
  std::set<ContainerName> under_way_;  // from the attempt that began the work until the work ends
  WaitBudgets waits_;
  bool was_connected_ = false;
  bool ended_ = false;
};

NriPlugin::NriPlugin(asio::any_io_executor executor, NriOptions options, NriHost host)
    : state_(std::make_shared<State>(executor, std::move(options), std::move(host))) {
  asio::co_spawn(
      executor, [state = state_] { return state->run(); }, asio::detached);
}

NriPlugin::~NriPlugin() { state_->end(); }

}  // namespace flox::node
