// flox store serve: serves the local store as a binary cache.
#include <csignal>
#include <memory>

#include "base/error.h"
#include "base/os/file.h"
#include "cli/publishing.h"
#include "cli/store/commands.h"
#include "store/cache/cache_server.h"

namespace flox::cli {
namespace {

struct StoreServeOptions {
  std::string listen = "127.0.0.1:5000";
  std::string key;
  std::string port_file;
  std::string compression = "none";
  int priority = 30;
};

void serve(const StoreServeOptions& options) {
  const Config config = Config::load();
  const AddressPort listen = in_context("--listen", [&] { return AddressPort::parse(options.listen); });
  store::CacheServerOptions how{
      .key = {}, .priority = options.priority, .compression = {.method = options.compression}};
  const std::string key = options.key.empty() ? config.signing_private_key : options.key;
  if (!key.empty()) how.key = read_signing_key(key);
  // Before the server's threads are made, so that they do not get the signals.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const store::LocalStore store = open_store(config);
  const store::CacheServer cache(store, std::move(how));
  const HttpServer server(
      {.address = listen.address, .port = listen.port, .threads = 4, .stream_threads = 16, .read_only = true},
      [&](const ServerRequest& request) { return cache.answer(request); });
  fmt::print("serving {} at http://{}\n", store.store_directory().string(), listen.with_port(server.port()));
  std::fflush(stdout);
  if (!options.port_file.empty()) write_file(options.port_file, std::to_string(server.port()) + "\n");
  int signal = 0;
  sigwait(&signals, &signal);
}

}  // namespace

void add_store_serve(CLI::App& store) {
  auto options = std::make_shared<StoreServeOptions>();
  auto* command = store.add_subcommand("serve", "Serve the store as a binary cache for Nix and flox");
  command
      ->add_option("--listen", options->listen,
                   "ADDRESS:PORT to listen at; with port 0 the system chooses one")
      ->capture_default_str();
  command->add_option(
      "--key", options->key,
      "file (mode 600) with the secret key to sign with (default: signing_private_key of the configuration)");
  command->add_option("--compression", options->compression, "compression of NARs: none or zstd")
      ->check(CLI::IsMember({"none", "zstd"}))
      ->capture_default_str();
  command
      ->add_option("--priority", options->priority,
                   "priority in nix-cache-info; clients ask caches with a lower one first")
      ->capture_default_str();
  command->add_option("--port-file", options->port_file,
                      "write the port to this file when the server is ready");
  command->footer(
      "NARs are made on request. An interrupted transfer is continued without compression, and starts again\n"
      "with it: use zstd on slow networks. SIGINT and SIGTERM stop the server.\n\n"
      "Example:\n  flox store serve --listen 0.0.0.0:5000 --key cache.key\n"
      "  nix copy --from http://HOST:5000 /nix/store/…-web");
  command->callback([options] { serve(*options); });
}

}  // namespace flox::cli
