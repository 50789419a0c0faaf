// flox store serve: a binary cache over the local store.
#include <csignal>
#include <memory>

#include "base/error.h"
#include "base/os/file.h"
#include "cli/publishing.h"
#include "cli/store/commands.h"
#include "store/cache/cache_server.h"

namespace flox::cli {
namespace {

struct Options {
  std::string listen = "127.0.0.1:5000";
  std::string key;
  std::string port_file;
  std::string compression = "none";
  int priority = 30;
};

void serve(const Options& options) {
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
  auto options = std::make_shared<Options>();
  auto* command = store.add_subcommand("serve", "Serve the store as a binary cache, to Nix and to flox");
  command->add_option("--listen", options->listen, "ADDRESS:PORT; port 0: the system chooses")
      ->capture_default_str();
  command->add_option("--key", options->key, "file with a secret key to sign with (signing_private_key)");
  command->add_option("--compression", options->compression, "none or zstd, while NARs are sent")
      ->check(CLI::IsMember({"none", "zstd"}))
      ->capture_default_str();
  command->add_option("--priority", options->priority, "what nix-cache-info says; lower is asked first")
      ->capture_default_str();
  command->add_option("--port-file", options->port_file, "file to write the port to once it is served");
  command->footer(
      "NARs are made as they are asked for. A broken transfer goes on where it stopped; one that is "
      "compressed\n"
      "begins again, so zstd is for slow networks. Stops at SIGINT or SIGTERM.\n\n"
      "Example:\n  flox store serve --listen 0.0.0.0:5000 --key cache.key\n"
      "  nix copy --from http://HOST:5000 /nix/store/…-web");
  command->callback([options] { serve(*options); });
}

}  // namespace flox::cli
