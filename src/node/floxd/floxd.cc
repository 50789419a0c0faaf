// floxd: owns the node's store; realises environments for shims and pods.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <climits>
#include <csignal>
#include <cstring>

#include "base/command_line/program.h"
#include "base/command_line/self_description.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/net/server/http_server.h"
#include "base/net/server/metrics_page.h"
#include "base/net/url.h"
#include "base/os/file.h"
#include "base/os/memory.h"
#include "base/os/service_manager.h"
#include "base/printable.h"
#include "base/settings/options.h"
#include "base/settings/read.h"
#include "base/settings/units.h"
#include "base/trace/exporter.h"
#include "env/manifest.h"
#include "lazy/frames_job.h"
#include "node/floxd/collector.h"
#include "node/floxd/config.h"
#include "node/floxd/image_registry.h"
#include "node/floxd/lazy_starts.h"
#include "node/floxd/node_service.h"
#include "node/floxd/nri_host.h"
#include "node/floxd/peers.h"
#include "node/floxd/pod_server.h"
#include "node/floxd/prefetch_messages.h"
#include "node/floxd/prefetcher.h"
#include "node/floxd/realise_queue.h"
#include "node/floxd/reporter.h"
#include "node/floxd/status_service.h"
#include "node/floxd/sweep.h"
#include "node/installer/registry.h"
#include "node/installer/runtime_closure.h"
#include "node/installer/state_names.h"
#include "node/installer/stub_images.h"
#include "node/shared/store_reader.h"
#include "node/shared/store_writer.h"
#include "protocol/node.ttrpc.h"
#include "protocol/prefetch.ttrpc.h"
#include "protocol/status.ttrpc.h"
#include "store/fetch/fetcher.h"
#include "store/local/store_guard.h"
#include "store/peers/peer_places.h"
#include "trust/trust_store.h"
#include "ttrpc/server.h"

namespace flox::node {
namespace {

namespace asio = boost::asio;

struct Options {
  Config config = Config::load(SettingsOf::machine);
  std::string runtime;  // store path; empty: the root's own runtime closure
};

// Calls block, so `pool` runs them.
template <typename Request, typename Response>
asio::awaitable<Response> run_on(asio::thread_pool& pool, NodeService& node,
                                 Response (NodeService::*method)(const Request&), Request request) {
  auto work = [](NodeService& service, Response (NodeService::*call)(const Request&),
                 Request message) -> asio::awaitable<Response> { co_return (service.*call)(message); };
  co_return co_await asio::co_spawn(pool, work(node, method, std::move(request)), asio::use_awaitable);
}

// On the pool where the container brings no environment, else in its namespace's turn.
asio::awaitable<v1::PrepareResponse> prepare(asio::thread_pool& pool, FairThreads& starts, NodeService& node,
                                             StartLog& log, v1::PrepareRequest message, ttrpc::Call call) {
  if (!NodeService::takes_time(message))
    co_return co_await run_on(pool, node, &NodeService::prepare_at_once, std::move(message));
  auto request = std::make_shared<const v1::PrepareRequest>(std::move(message));
  std::function<v1::PrepareResponse()> work = [&node, request, gone = std::move(call.gone),
                                               traceparent = std::move(call.traceparent),
                                               start = log.begin(*request)] {
    return node.prepare(
        *request, [&gone] { return gone->load(); }, traceparent, start);
  };
  std::string tenant = tenant_of({.id = request->container_id(),
                                  .pod_id = request->pod_id(),
                                  .pod_namespace = request->pod_namespace(),
                                  .pod_name = {},
                                  .name = {},
                                  .view = {}});
  co_return co_await starts.run(std::move(tenant), std::move(work));
}

// One floxd a store: a second one would end the first one's leases. Held until the program ends.
Fd only_one(const fs::path& state) {
  Fd lock = open_file(state / node::state::lock, O_RDWR | O_CREAT, 0600);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    throw Error(ErrorKind::conflict,
                fmt::format("another floxd serves the store below {}",
                            state.parent_path().parent_path().parent_path().string()),
                "Stop it first, or pass another --root.");
  return lock;
}

// Makes the store read-only except for the functions that write to it, and confines the reading of untrusted
// input from now on.
// A store that another node writes is on a mount that nobody here can write to.
void isolate(const Config& config) {
  const bool is_own = config.store_writer.empty();
  const Isolation isolation = available_isolation();
  try {
    if (!isolation.complete() || !has_confined_processes())
      fail(ErrorKind::unavailable, "the kernel cannot confine the fetcher: there is {}",
           isolation.to_string());
    if (is_own) store::guard_store(config.root);
  } catch (const Error& error) {
    if (config.isolation == IsolationPolicy::required)
      throw error.with_advice(
          "Run a kernel with Landlock (5.13) as root, or set isolation = \"best-effort\" in "
          "/etc/flox/config.toml.");
    log::warning("{}", error.what());
  }
  log::info("fetchers are confined by {}; the store is {} for floxd", isolation.to_string(),
            store::store_is_guarded() || !is_own ? "read-only" : "writable");
}

// Removes what ended containers leave, and sees that what became valid gets to the disk. Looks whether the
// policy has changed. Gives memory back after a burst of work.
asio::awaitable<void> tidy_regularly(store::LocalStore& store, Containers& containers, StoreViews& views,
                                     LazyStarts& lazy, Budgets& budgets, Grants& grants, PodPolicy& policy,
                                     KeptPods& kept, PodLife life, Metrics& metrics, Images& images,
                                     Prefetcher& prefetches, StoreWriter* writer, bool is_own) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    timer.expires_after(std::chrono::seconds(5));
    co_await timer.async_wait(asio::use_awaitable);
    try {
      policy.look_again();
      sweep_leases(store, containers, budgets, grants, kept, life);
      sweep_views(views, containers);
      lazy.sweep();
      images.sweep();
      prefetches.tidy();
      if (writer != nullptr) writer->sweep();
      if (is_own) store.sync();
      kept.sync();
      metrics.kept_pods(kept.pods().size());
      return_freed_memory();
    } catch (const std::exception& error) {
      log::warning("sweeping leases and views, syncing the store: {}", message_of(error));
    }
  }
}

std::unique_ptr<HttpServer> serve_at(const AddressPort& place, HttpServer::Handler handler) {
  return std::make_unique<HttpServer>(HttpServerOptions{.address = place.address,
                                                        .port = place.port,
                                                        .threads = 1,
                                                        .read_only = true,
                                                        .max_connections = 128,
                                                        .max_waiting = 64},
                                      std::move(handler));
}

// Of an owner whose files cannot be read there is none: doctor says why.
std::map<std::string, trust::Time> trusted_roots(const trust::TrustStore& trust) {
  std::map<std::string, trust::Time> roots;
  try {
    for (const std::string& owner : trust.owners()) try {
        roots[owner] = trust.root(owner).content.expires;
      } catch (const Error&) {
      }
  } catch (const Error&) {
  }
  return roots;
}

// Where spans go. floxd itself speaks HTTP with nobody outside the node.
std::unique_ptr<trace::Exporter> span_exporter(const Config& config) {
  if (config.traces_to.empty()) return nullptr;
  if (network_of_host(HttpUrl::parse(config.traces_to).host) != Network::loopback)
    throw Error(ErrorKind::invalid_input,
                fmt::format("traces_to: {} is not on this node", hide_login(config.traces_to)),
                "Run a collector on each node, and set its address there, as http://127.0.0.1:4318.");
  return std::make_unique<trace::Exporter>(
      trace::ExportOptions{.url = config.traces_to,
                           .service = "floxd",
                           .version = FLOX_VERSION,
                           .percent = static_cast<unsigned>(config.trace_percent)});
}

std::unique_ptr<HttpServer> serve_metrics(const Config& config, const store::LocalStore& store,
                                          Metrics& metrics, const PodServer& pods,
                                          const Prefetcher& prefetches, const RealiseQueue& queue,
                                          const trace::Exporter* spans) {
  auto trust = std::make_shared<trust::TrustStore>(config.trust_directory(), config.trust_state_directory());
  return serve_at(config.metrics_address, [&, trust, spans](const ServerRequest& request) {
    if (request.path == "/metrics") {
      metrics.trusted(trusted_roots(*trust));
      const auto counts = prefetches.counts();
      using State = PrefetchRecord::State;
      for (const State state : {State::waiting, State::fetching, State::present, State::used, State::failed})
        metrics.prefetches(to_string(state), counts.contains(state) ? counts.at(state) : 0);
      for (const Lane lane : all_lanes) metrics.queued(lane, queue.use(lane));
      if (spans != nullptr) metrics.spans(spans->counters().exported, spans->counters().dropped);
      const auto accept = request.headers.find("accept");
      const bool open = accept != request.headers.end() && takes_open_metrics(accept->second);
      return ServerResponse{.content_type = open ? open_metrics_type : MetricsPage::content_type,
                            .body = metrics.text(store, pods.use(), open)};
    }
    if (request.path == "/healthz" || request.path == "/readyz") return ServerResponse{.body = "ok\n"};
    throw Error(ErrorKind::not_found, "there is no such page: use /metrics, /healthz or /readyz");
  });
}

// Null where no images are served.
std::unique_ptr<ImageRegistry> image_registry_of(const Config& config, Images& images, FairThreads& lane) {
  if (!config.registry_address) return nullptr;
  return std::make_unique<ImageRegistry>(
      images, lane,
      ImageRegistry::Options{.key = node_key_of(config.registry_key_file),
                             .endpoint = "http://" + config.registry_address->to_string()});
}

// The stub images are in memory: they never wait behind an environment that is being pulled.
std::unique_ptr<HttpServer> serve_registry(const Config& config, ImageRegistry* environments,
                                           InheritedSockets& inherited) {
  if (environments == nullptr) return nullptr;
  const AddressPort& place = *config.registry_address;
  auto stubs = std::make_shared<Registry>(make_stub_images(installed_pause()));
  Fd listening = inherited.take(place.to_string());
  return std::make_unique<HttpServer>(
      HttpServerOptions{.address = place.address,
                        .port = place.port,
                        .listening = listening ? std::make_shared<Fd>(std::move(listening)) : nullptr,
                        .threads = 4,
                        .read_only = true,
                        .at_once = [stubs](const ServerRequest& request) -> std::optional<ServerResponse> {
                          if (ImageRegistry::is_for(request)) return std::nullopt;
                          return stubs->answer(request);
                        },
                        .max_connections = 512,
                        .max_waiting = 512},
      [environments](const ServerRequest& request) { return environments->answer(request); });
}

// The socket of shims: the one that the service manager keeps while floxd is replaced, or a new one.
Fd listen_to_shims(const Config& config, InheritedSockets& inherited) {
  if (Fd kept = inherited.take(config.node_socket)) return kept;
  fs::create_directories(directory_of(config.node_socket));
  return ttrpc::listen_at(config.node_socket, 0600);
}

// Ends what is under way, before what it uses goes.
struct Ending {
  void now() const {
    environments.stop();
    queue.stop();
  }
  ~Ending() { now(); }

  Environments& environments;
  RealiseQueue& queue;
};

// The node's operator, who is root, asks for the node.
void serve_prefetches(ttrpc::Server& server, asio::thread_pool& pool, Prefetcher& prefetches) {
  using namespace prefetch::v1;
  const auto serve = [&](const auto& method, auto answer) {
    server.handle(method, [&pool, &prefetches, answer](auto request, ttrpc::Call) -> asio::awaitable<Answer> {
      auto work = [](Prefetcher& of, decltype(answer) call,
                     decltype(request) message) -> asio::awaitable<Answer> {
        co_return call(of, nullptr, message);
      };
      co_return co_await asio::co_spawn(pool, work(prefetches, answer, std::move(request)),
                                        asio::use_awaitable);
    });
  };
  serve(Prefetches::Add, prefetch_add);
  serve(Prefetches::Show, prefetch_show);
  serve(Prefetches::Cancel, prefetch_cancel);
}

// The node's operator sees all.
void serve_status(ttrpc::Server& server, asio::thread_pool& pool, const StatusService& status) {
  using namespace status::v1;
  server.handle(Status::Daemon, [&](DaemonRequest, ttrpc::Call) -> asio::awaitable<DaemonAnswer> {
    auto work = [](const StatusService& of) -> asio::awaitable<DaemonAnswer> { co_return of.daemon(); };
    co_return co_await asio::co_spawn(pool, work(status), asio::use_awaitable);
  });
  server.handle(Status::Starts, [&](StartsRequest request, ttrpc::Call) -> asio::awaitable<StartsAnswer> {
    auto work = [](const StatusService& of, StartsRequest message) -> asio::awaitable<StartsAnswer> {
      co_return of.starts(nullptr, message);
    };
    co_return co_await asio::co_spawn(pool, work(status, std::move(request)), asio::use_awaitable);
  });
}

// The setting `prefetch`, as the file has it now. Of a file that cannot be read nothing changes.
void read_list_again(Prefetcher& prefetches) {
  try {
    prefetches.set_list(Config::load(SettingsOf::machine).prefetch);
  } catch (const Error& error) {
    log::warning("reading the setting prefetch again: {}", error.what());
  }
}

Lane lane_of(const ReaderWork& work) {
  const auto lane = std::ranges::find(all_lanes, work.lane, [](Lane one) { return to_string(one); });
  if (lane == all_lanes.end()) fail(ErrorKind::invalid_input, "'{}' is no lane", printable(work.lane, 60));
  return *lane;
}

// Realises what a reader of the store wants.
nix::StorePath realise_for(Environments& environments, const ReaderWork& work) {
  check_mode(work.mode);
  if (work.system != env::current_system())
    fail(ErrorKind::invalid_input, "this node is {}, and '{}' is wanted", env::current_system(),
         printable(work.system, 60));
  return environments.realise(env::Lockfile::parse(work.lock, "the reader's lock"), work.system, work.mode,
                              work.holder,
                              {.lane = lane_of(work),
                               .limits = work.limits,
                               .check_closure = {},
                               .gone = work.is_over,
                               .on_progress = work.on_progress});
}

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  if (::gethostname(name, sizeof name - 1) != 0) fail_errno(errno, "reading the host name");
  return name;
}

// Tells the catalog what runs here; null if it is not to.
std::unique_ptr<Reporter> reporter_of(const Config& config, const Environments& environments,
                                      const Containers& containers, Metrics& metrics) {
  if (!config.report_environments) return nullptr;
  if (config.catalog_url.empty())
    throw Error(ErrorKind::invalid_input, "report_environments is set, and catalog_url is not",
                "Set catalog_url to the catalog that is to be told.");
  if (config.report_interval < std::chrono::seconds(20) || config.report_interval > std::chrono::minutes(20))
    throw Error(ErrorKind::invalid_input,
                fmt::format("report_interval: {} is not from 20 s to 20 minutes",
                            duration_text(config.report_interval)),
                "Set another one, or none: it is 5 minutes then.");
  const std::string name = config.report_name.empty() ? host_name() : config.report_name;
  check_report_name(name);
  return std::make_unique<Reporter>(Reporter::Options{
      .interval = config.report_interval,
      .containers = [&containers] { return containers.all(); },
      .send = [&environments, name](const nlohmann::json& report) { environments.report(name, report); },
      .ended = [&metrics](bool sent) { metrics.reported(sent); }});
}

// This node's part in a store that another one writes; null if the store is its own.
std::unique_ptr<StoreReader> reader_of(const Config& config, const fs::path& state, const Peers& peers,
                                       store::LocalStore& store, Metrics& metrics) {
  if (config.store_writer.empty()) return nullptr;
  in_context("store_writer", [&] { store::peer_place(config.store_writer); });
  if (peers.key().empty())
    throw Error(ErrorKind::invalid_input,
                fmt::format("the writer of the shared store, {}, answers only nodes that have the peers' key",
                            config.store_writer),
                fmt::format("Write the key that the writer has for this node to {}, mode 600.",
                            config.peer_key_file.string()));
  return std::make_unique<StoreReader>(
      store,
      WriterClient::Options{.writer = config.store_writer,
                            .resolver = config.peer_resolver,
                            .key = [&peers] { return peers.key(); },
                            .node = config.store_reader_name.empty() ? host_name() : config.store_reader_name,
                            .instance = {}},
      StoreReader::Options{.state = state,
                           .heard = [&metrics](bool is_heard) { metrics.writer_heard(is_heard); }});
}

// What this node does for those that read its store; null if there are none.
std::unique_ptr<StoreWriter> writer_of(const Config& config, const fs::path& state,
                                       const std::string& runtime, Environments& environments,
                                       RealiseQueue& queue, Metrics& metrics) {
  if (!config.store_readers) return nullptr;
  if (!config.peer_address)
    throw Error(ErrorKind::invalid_input, "store_readers is set, and peer_address is not",
                "Set peer_address to the ADDRESS:PORT at which floxd serves the nodes that read its store.");
  if (!config.store_writer.empty())
    throw Error(ErrorKind::invalid_input, "store_readers and store_writer are both set",
                "Let one node write the store, and the others read it.");
  return std::make_unique<StoreWriter>(
      environments.store(),
      StoreWriter::Options{
          .state = state,
          .system = env::current_system(),
          .runtime = nix::StorePath::parse(runtime),
          .lease_time = config.store_reader_lease,
          // They take turns with this node's own namespaces.
          .begin =
              [&queue](const ReaderWork& work, std::function<void()> run) {
                queue[lane_of(work)].post("reader " + work.node, std::move(run));
              },
          .realise = [&environments](const ReaderWork& work) { return realise_for(environments, work); },
          .readers = [&metrics](size_t readers) { metrics.store_readers(readers); }});
}

void serve(const Options& options) {
  const Config& config = options.config;
  std::signal(SIGPIPE, SIG_IGN);
  InheritedSockets inherited = InheritedSockets::take_all();
  if (!config.store_writer.empty()) show_shared_store(config.store_mount, config.root);
  store::LocalStore store(config.root, config.store_lock_timeout);
  fs::path state = config.root / "var/lib/flox";
  fs::create_directories(state);
  Fd lock = only_one(state);
  isolate(config);
  const std::unique_ptr<trace::Exporter> spans = span_exporter(config);  // its thread is isolated, too

  Metrics metrics;
  PodPolicy policy(config, metrics);
  Peers peers(config, state, store, metrics);
  const std::unique_ptr<StoreReader> reader = reader_of(config, state, peers, store, metrics);
  const std::string runtime = reader != nullptr          ? reader->begin().to_string()
                              : !options.runtime.empty() ? options.runtime
                                                         : current_runtime(store).to_string();
  Environments environments(config, store, peers, metrics, reader.get());
  environments.recover_store();
  RealiseQueue queue(config, config);
  const std::unique_ptr<StoreWriter> writer = writer_of(config, state, runtime, environments, queue, metrics);
  Containers containers(state / node::state::containers);
  KeptPods kept(
      kept_pods_directory(config.root), store,
      {.limits = {}, .lost = [&metrics] { metrics.kept_failed(KeptFailure::unwritten); }, .clock = {}});
  StoreViews views(store, directory_of(config.node_socket));
  ReadOnlyMount pod_socket(config.pod_socket_dir, directory_of(config.node_socket) / "pod-socket");
  Budgets budgets(config, store, metrics);
  Grants grants;
  Images images(config, environments, state);
  StartLog starts;
  Prefetcher prefetches(config, environments, containers, kept, policy, queue[Lane::prefetch], metrics);
  LazyStarts lazy(
      config, environments, views, queue, metrics,
      [&](const std::string& reference) { return environments.start_profile(reference); },
      state / node::state::lazy, state / node::state::lazy_profiles,
      directory_of(config.node_socket) / "lazy");
  const std::unique_ptr<ImageRegistry> image_registry = image_registry_of(config, images, queue[Lane::image]);
  const Ending ending{environments, queue};
  NodeService node(config, runtime, environments, images, containers, kept, prefetches, views, pod_socket,
                   lazy, grants, policy, metrics, starts, spans.get());
  PodService pod(config, environments, containers, kept, budgets, grants, policy);

  asio::io_context loop;
  // What takes no time to speak of: it never waits behind an environment that is being fetched.
  asio::thread_pool pool(4);
  fs::create_directories(config.pod_socket_dir);
  ttrpc::Server node_server(loop.get_executor(), listen_to_shims(config, inherited),
                            {.same_user_only = true});
  node_server.handle(v1::Node::Prepare, [&](v1::PrepareRequest request, ttrpc::Call call) {
    return prepare(pool, queue[Lane::start], node, starts, std::move(request), std::move(call));
  });
  node_server.handle(v1::Node::Release, [&](v1::ReleaseRequest request, ttrpc::Call) {
    return run_on(pool, node, &NodeService::release, std::move(request));
  });
  std::optional<NriPlugin> plugin;
  if (config.nri_socket.empty())
    containers.end_nri();
  else
    plugin.emplace(loop.get_executor(),
                   NriOptions{.socket = config.nri_socket, .other_handlers = config.nri_other_handlers},
                   nri_host(pool, queue[Lane::start], node, containers, metrics));
  serve_prefetches(node_server, pool, prefetches);
  const StatusService status(store, starts, queue, kept, lazy);
  serve_status(node_server, pool, status);
  const std::unique_ptr<Reporter> reporter = reporter_of(config, environments, containers, metrics);
  const PodServer pods(config, pod, prefetches, status, budgets, queue[Lane::pod], metrics);
  const std::unique_ptr<HttpServer> http =
      serve_metrics(config, store, metrics, pods, prefetches, queue, spans.get());
  const std::unique_ptr<HttpServer> registry = serve_registry(config, image_registry.get(), inherited);
  const std::unique_ptr<PeerListener> peer_server =
      reader == nullptr ? peers.serve(store, writer.get()) : nullptr;
  const auto peer_port = peer_server ? peer_server->port() : std::nullopt;
  for (const std::string& place : inherited.places())
    log::warning("floxd.socket listens at {}, which is in no setting: run 'flox node install' again", place);
  std::optional<Collector> collector;  // whoever writes the store collects in it
  if (reader == nullptr)
    collector.emplace(config, environments, metrics, [&] { return prefetches.give_way(); });
  asio::co_spawn(pool,
                 tidy_regularly(store, containers, views, lazy, budgets, grants, policy, kept,
                                PodLife(config.kubelet_dir), metrics, images, prefetches, writer.get(),
                                reader == nullptr),
                 [](std::exception_ptr) {});
  log::info(
      "serving shims at {}, pods at {}, metrics at {}, images at {}, other nodes at {}; store {}, runtime "
      "{}",
      config.node_socket.string(), (config.pod_socket_dir / "pod.sock").string(),
      config.metrics_address.to_string(),
      config.registry_address ? config.registry_address->to_string() : "no address",
      peer_port ? config.peer_address->with_port(*peer_port) : "no address", store.store_directory().string(),
      runtime);

  asio::signal_set signals(loop, SIGTERM, SIGINT);
  signals.async_wait([&](boost::system::error_code, int signal) {
    log::info("stopping: {}", strsignal(signal));
    loop.stop();
  });
  asio::signal_set hangups(loop, SIGHUP);
  std::function<void(boost::system::error_code, int)> reload = [&](boost::system::error_code error, int) {
    if (error) return;
    policy.look_again(true);
    read_list_again(prefetches);
    peers.read_keys_again();
    hangups.async_wait(reload);
  };
  hangups.async_wait(reload);
  notify_service_manager("READY=1");
  loop.run();
  notify_service_manager("STOPPING=1");
  if (image_registry) image_registry->end_waiting();
  // Images are small: containerd does not ask again for one whose transfer breaks.
  if (registry) registry->drain(std::chrono::seconds(5));
  // What is being realised now is left to the next floxd: a store has no half paths.
  ending.now();
  pool.stop();
  pool.join();
}

int run(int argc, char** argv) {
  CLI::App app{
      "The node's daemon: realises environments into the shared store for shims and pods.\n\n"
      "Every option can stand in /etc/flox/config.toml too: flox config --explain",
      "floxd"};
  app.footer(
      "Example:\n  floxd --catalog-url http://catalog:8590 --trusted-key 'acme-1:…'\n\n"
      "SIGTERM and SIGINT stop it. Running pods are not affected. SIGHUP reads the policy, the setting "
      "prefetch and peers.key again.");
  if (asks_for_manual(argc, argv)) keep_declared_settings();
  Options options;
  app.set_version_flag("-V,--version", FLOX_VERSION);
  for (const SettingGroup* group : options.config.groups()) add_setting_options(app, *group);
  app.add_option("--runtime", options.runtime,
                 "store path of the runtime closure (default: the one that flox node runtime built)");
  add_self_description(app, {.is_shown = false, .section = 8});
  return run_command_line(app, argc, argv, [&] {
    serve(options);
    return 0;
  });
}

}  // namespace
}  // namespace flox::node

int main(int argc, char** argv) {
  flox::store::add_fetcher_job();
  flox::node::add_catalog_job();
  flox::lazy::add_frames_job();
  if (const auto code = flox::run_confined_job(argc, argv)) return *code;
  flox::share_arenas();
  return flox::run_program([&] { return flox::node::run(argc, argv); });
}
