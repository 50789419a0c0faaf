// flox-catalog: packages and versions over HTTP, and the binary cache that they are fetched from.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "server/api.h"

namespace {

struct Options {
  std::string listen = "127.0.0.1:8590";
  std::string data = "/var/lib/flox/catalog";
  std::string token_file;
  std::string port_file;
};

void serve(const Options& options) {
  using namespace flox;
  size_t colon = options.listen.rfind(':');
  int port = -1;
  if (colon != std::string::npos && !CLI::detail::lexical_cast(options.listen.substr(colon + 1), port)) port = -1;
  if (port < 0 || port > 65535) fail(ErrorKind::invalid_input, "--listen {}: not of the form ADDRESS:PORT", options.listen);

  // Blocked before any thread starts, so that only sigwait below sees them.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  fs::create_directories(options.data);
  server::Records records(fs::path(options.data) / "catalog.sqlite");
  server::CacheFiles cache(fs::path(options.data) / "cache");
  std::string token = options.token_file.empty() ? "" : read_file(options.token_file);
  while (!token.empty() && std::isspace(static_cast<unsigned char>(token.back()))) token.pop_back();
  server::Api api(records, cache, token);
  HttpServer server({.address = options.listen.substr(0, colon), .port = static_cast<uint16_t>(port), .threads = 4,
                     .upload_dir = cache.upload_directory()},
                    [&](const ServerRequest& request) { return api.handle(request); });
  log::info("listening on http://{}:{}, data in {}{}", options.listen.substr(0, colon), server.port(), options.data,
            token.empty() ? "; read-only: no --token-file" : "");
  if (!options.port_file.empty()) write_file(options.port_file, fmt::format("{}\n", server.port()));

  int signal = 0;
  sigwait(&stop, &signal);
  log::info("stopping: {}", strsignal(signal));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"The catalog: packages, their versions, and the binary cache that serves them.\n\n"
               "Example: flox-catalog --listen 0.0.0.0:8590 --data /var/lib/flox/catalog --token-file /etc/flox/token"};
  Options options;
  app.set_version_flag("-V,--version", FLOX_VERSION);
  app.add_option("--listen", options.listen, "address and port; port 0: the system chooses")->capture_default_str();
  app.add_option("--data", options.data, "directory of the database and the cache's files")->capture_default_str();
  app.add_option("--token-file", options.token_file, "file with the token that publishers must show; none: read-only");
  app.add_option("--port-file", options.port_file, "write the port to this file once listening");
  try {
    app.parse(argc, argv);
    serve(options);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : flox::exit_failure;
  } catch (const std::exception& error) {
    flox::print_error(error);
    return flox::exit_failure;
  }
  return 0;
}
