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
  bool verbose = false;
};

// "127.0.0.1:8590" or "[::1]:8590".
std::pair<std::string, uint16_t> parse_listen(const std::string& listen) {
  size_t colon = listen.rfind(':');
  int port = -1;
  if (colon != std::string::npos && !CLI::detail::lexical_cast(listen.substr(colon + 1), port)) port = -1;
  if (port < 0 || port > 65535)
    flox::fail(flox::ErrorKind::invalid_input, "--listen {}: not of the form ADDRESS:PORT", listen);
  std::string address = listen.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  return {address, static_cast<uint16_t>(port)};
}

// Empty without a file: nobody may change anything.
std::string read_token(const std::string& file) {
  if (file.empty()) return {};
  std::string token = flox::read_file(file);
  while (!token.empty() && std::isspace(static_cast<unsigned char>(token.back()))) token.pop_back();
  if (token.empty())
    throw flox::Error(flox::ErrorKind::invalid_input, fmt::format("--token-file {}: the file is empty", file),
                      "put a token into it, or leave the option out for a read-only catalog");
  return token;
}

void serve(const Options& options) {
  using namespace flox;
  if (options.verbose) log::set_level(log::Level::debug);
  const auto [address, port] = parse_listen(options.listen);
  const std::string token = read_token(options.token_file);

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
  server::EnvironmentRecords environments(fs::path(options.data) / "environments.sqlite");
  server::Api api(records, environments, cache, token);
  HttpServer server({.address = address,
                     .port = port,
                     .threads = 4,
                     .upload_dir = cache.upload_directory(),
                     .admit = [&](const ServerRequest& head) { api.admit(head); }},
                    [&](const ServerRequest& request) { return api.handle(request); });
  log::info("listening on http://{}:{}, data in {}{}", options.listen.substr(0, options.listen.rfind(':')),
            server.port(), options.data, token.empty() ? "; read-only: no --token-file" : "");
  if (!options.port_file.empty()) write_file(options.port_file, fmt::format("{}\n", server.port()));

  int signal = 0;
  sigwait(&stop, &signal);
  log::info("stopping: {}", strsignal(signal));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "The catalog: packages, their versions, and the binary cache that serves them.\n\n"
      "Example: flox-catalog --listen 0.0.0.0:8590 --data /var/lib/flox/catalog --token-file "
      "/etc/flox/token"};
  Options options;
  app.set_version_flag("-V,--version", FLOX_VERSION);
  app.add_option("--listen", options.listen, "address and port; port 0: the system chooses")
      ->capture_default_str();
  app.add_option("--data", options.data, "directory of the database and the cache's files")
      ->capture_default_str();
  app.add_option("--token-file", options.token_file,
                 "file with the token that publishers must show; none: read-only");
  app.add_option("--port-file", options.port_file, "write the port to this file once listening");
  app.add_flag("--verbose", options.verbose, "log every request");
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
