// floxd: owns the node's store; realises environments for shims and pods.
#include <fcntl.h>
#include <sys/file.h>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstring>

#include "base/error.h"
#include "base/log.h"
#include "base/net/server/http_server.h"
#include "base/net/server/metrics_page.h"
#include "base/os/file.h"
#include "base/os/memory.h"
#include "base/settings/options.h"
#include "node/floxd/collector.h"
#include "node/floxd/config.h"
#include "node/floxd/fair_threads.h"
#include "node/floxd/pod_server.h"
#include "node/floxd/services.h"
#include "node/installer/registry.h"
#include "node/installer/runtime_closure.h"
#include "node/installer/stub_images.h"
#include "store/fetch/fetcher.h"
#include "store/local/store_guard.h"
#include "ttrpc/server.h"

namespace flox::node {
namespace {

namespace asio = boost::asio;

struct Options {
  Config config = Config::load();
  std::string runtime;  // store path; empty: the root's own runtime closure
};

// A protocol method as a ttrpc handler: parsed, run on the pool (it blocks), serialised.
template <typename Request, typename Method>
ttrpc::Handler blocking(asio::thread_pool& pool, Method method) {
  return [&pool, method](ttrpc::Request call) -> asio::awaitable<std::string> {
    Request request;
    if (!request.ParseFromString(call.payload)) fail(ErrorKind::invalid_input, "the request cannot be read");
    auto work = [](Method run, Request message) -> asio::awaitable<std::string> {
      co_return run(message).SerializeAsString();
    };
    co_return co_await asio::co_spawn(pool, work(method, request), asio::use_awaitable);
  };
}

// Prepare: on the pool where the container brings no environment, else in its namespace's turn.
ttrpc::Handler preparing(asio::thread_pool& pool, FairThreads& prepares, NodeService& node) {
  const ttrpc::Handler at_once =
      blocking<v1::PrepareRequest>(pool, [&node](const v1::PrepareRequest& r) { return node.prepare(r); });
  return [&prepares, &node, at_once](ttrpc::Request call) -> asio::awaitable<std::string> {
    auto request = std::make_shared<v1::PrepareRequest>();
    const bool slow = request->ParseFromString(call.payload) && !request->environment().empty();
    if (!slow) co_return co_await at_once(std::move(call));
    std::function<std::string()> work = [&node, request] {
      return node.prepare(*request).SerializeAsString();
    };
    std::string tenant = tenant_of({.id = request->container_id(),
                                    .pod_id = request->pod_id(),
                                    .pod_namespace = request->pod_namespace(),
                                    .pod_name = {},
                                    .name = {},
                                    .view = {}});
    co_return co_await prepares.run(std::move(tenant), std::move(work));
  };
}

// One floxd a store: a second one would end the first one's leases. Held until the program ends.
Fd only_one(const fs::path& state) {
  Fd lock = open_file(state / "floxd.lock", O_RDWR | O_CREAT, 0600);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    throw Error(ErrorKind::conflict,
                fmt::format("another floxd serves the store below {}",
                            state.parent_path().parent_path().parent_path().string()),
                "stop it first, or give this one another --root");
  return lock;
}

// From here on the store is read-only but for those who write to it, and what strangers send is read
// elsewhere.
void isolate(const Config& config) {
  const Isolation isolation = available_isolation();
  try {
    if (!isolation.complete() || !has_confined_processes())
      fail(ErrorKind::unavailable, "the kernel cannot isolate what this node fetches with: there is {}",
           isolation.to_string());
    store::guard_store(config.root);
  } catch (const Error& error) {
    if (config.isolation == IsolationPolicy::required)
      throw error.with_advice(
          "run a kernel with Landlock (5.13) as root, or set isolation = \"best-effort\" in "
          "/etc/flox/config.toml");
    log::warning("{}", error.what());
  }
  log::info("fetchers are held by {}; the store is {} for floxd", isolation.to_string(),
            store::store_is_guarded() ? "read-only" : "writable");
}

// Removes what ended containers leave, and sees that what became valid gets to the disk.
// Gives memory back after a burst of work.
asio::awaitable<void> tidy_regularly(store::LocalStore& store, Containers& containers, StoreViews& views,
                                     Budgets& budgets, Grants& grants) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    timer.expires_after(std::chrono::seconds(5));
    co_await timer.async_wait(asio::use_awaitable);
    try {
      sweep_leases(store, containers, budgets, grants);
      sweep_views(views, containers);
      store.sync();
      return_freed_memory();
    } catch (const std::exception& error) {
      log::warning("sweeping leases and views, syncing the store: {}", error.what());
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

std::unique_ptr<HttpServer> serve_metrics(const AddressPort& place, const store::LocalStore& store,
                                          const Metrics& metrics, const PodServer& pods) {
  return serve_at(place, [&](const ServerRequest& request) {
    if (request.path == "/metrics")
      return ServerResponse{.content_type = MetricsPage::content_type,
                            .body = metrics.text(store, pods.use())};
    if (request.path == "/healthz" || request.path == "/readyz") return ServerResponse{.body = "ok\n"};
    throw Error(ErrorKind::not_found, "served are /metrics, /healthz and /readyz");
  });
}

std::unique_ptr<HttpServer> serve_registry(const std::optional<AddressPort>& place) {
  if (!place) return nullptr;
  auto registry = std::make_shared<Registry>(make_stub_images(installed_pause()));
  return serve_at(*place, [registry](const ServerRequest& request) { return registry->answer(request); });
}

void run(const Options& options) {
  const Config& config = options.config;
  std::signal(SIGPIPE, SIG_IGN);
  store::LocalStore store(config.root, config.store_lock_timeout);
  fs::path state = config.root / "var/lib/flox";
  fs::create_directories(state);
  Fd lock = only_one(state);
  isolate(config);
  std::string runtime = !options.runtime.empty() ? options.runtime : current_runtime(store).to_string();

  Metrics metrics;
  Environments environments(config, store, metrics);
  environments.recover_store();
  Containers containers(state / "containers.json");
  StoreViews views(store, config.node_socket.parent_path() / "views");
  Budgets budgets(config, store, metrics);
  Grants grants;
  NodeService node(config, runtime, environments, containers, views, grants, metrics);
  PodService pod(config, environments, containers, budgets, grants);

  asio::io_context loop;
  // What takes no time to speak of: it never waits behind an environment that is being fetched.
  asio::thread_pool pool(4);
  constexpr size_t prepare_threads = 32;  // each may have a fetcher: MemoryMax of the unit counts them, too
  FairThreads prepares(prepare_threads);
  fs::create_directories(config.node_socket.parent_path());
  fs::create_directories(config.pod_socket_dir);
  ttrpc::Server node_server(loop.get_executor(), ttrpc::listen_at(config.node_socket, 0600),
                            {.same_user_only = true});
  node_server.handle("flox.node.v1.Node", "Prepare", preparing(pool, prepares, node));
  node_server.handle(
      "flox.node.v1.Node", "Release",
      blocking<v1::ReleaseRequest>(pool, [&](const v1::ReleaseRequest& r) { return node.release(r); }));
  const PodServer pods(config, pod, budgets, metrics);
  const std::unique_ptr<HttpServer> http = serve_metrics(config.metrics_address, store, metrics, pods);
  const std::unique_ptr<HttpServer> registry = serve_registry(config.registry_address);
  const Collector collector(config, environments, metrics);
  asio::co_spawn(pool, tidy_regularly(store, containers, views, budgets, grants), [](std::exception_ptr) {});
  log::info("serving shims at {}, pods at {}, metrics at {}, stub images at {}; store {}, runtime {}",
            config.node_socket.string(), (config.pod_socket_dir / "pod.sock").string(),
            config.metrics_address.to_string(),
            config.registry_address ? config.registry_address->to_string() : "no address",
            store.store_directory().string(), runtime);

  asio::signal_set signals(loop, SIGTERM, SIGINT);
  signals.async_wait([&](boost::system::error_code, int signal) {
    log::info("stopping: {}", strsignal(signal));
    loop.stop();
  });
  loop.run();
  // What is being realised now is left to the next floxd: a store has no half paths.
  pool.stop();
  pool.join();
}

}  // namespace
}  // namespace flox::node

int main(int argc, char** argv) {
  flox::store::add_fetcher_job();
  flox::node::add_catalog_job();
  if (const auto code = flox::run_confined_job(argc, argv)) return *code;
  flox::share_arenas();
  CLI::App app{
      "The node's daemon: realises environments into the shared store for shims and pods.\n\n"
      "Every option can stand in /etc/flox/config.toml too: flox config --explain"};
  try {
    flox::node::Options options;
    app.set_version_flag("-V,--version", FLOX_VERSION);
    for (const flox::SettingGroup* group : options.config.groups()) flox::add_setting_options(app, *group);
    app.add_option("--runtime", options.runtime,
                   "store path of the runtime closure (default: made by flox node runtime)");
    app.parse(argc, argv);
    flox::node::run(options);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : flox::exit_failure;
  } catch (const std::exception& error) {
    flox::print_error(error);
    return flox::exit_failure;
  }
  return 0;
}
