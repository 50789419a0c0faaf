// flox-catalog: packages and versions over HTTP, and the binary cache that they are fetched from.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/command_line/program.h"
#include "base/command_line/self_description.h"
#include "base/data/secret.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/net/server/http_tls.h"
#include "base/net/server/metrics_page.h"
#include "base/net/server/trusted_proxies.h"
#include "base/os/file.h"
#include "base/os/memory.h"
#include "base/os/open_files.h"
#include "base/settings/options.h"
#include "base/settings/read.h"
#include "base/trace/exporter.h"
#include "catalog/readiness.h"
#include "server/api/api.h"
#include "server/commands.h"
#include "server/identity/accounts.h"
#include "server/pages/pages.h"
#include "server/records/clock.h"
#include "server/settings.h"
#include "server/stop_signals.h"
#include "server/storage.h"

namespace {

using namespace flox;

// Connections and the files that they are answered with.
void raise_descriptor_limit(size_t connections) {
  const size_t wanted = 2 * connections + 256;
  const size_t allowed = allow_open_files(wanted);
  if (allowed < wanted)
    log::warning(
        "{} open files are allowed, so {} connections at once instead of {}; raise the limit of open files",
        allowed, allowed / 2, connections);
}

std::shared_ptr<HttpTls> make_tls(const server::ServerSettings& options) {
  if (options.tls_cert.empty() != options.tls_key.empty())
    fail_usage("flox-catalog: only one of --tls-cert and --tls-key is given",
               "Pass both, or none for plain HTTP.");
  return options.tls_cert.empty() ? nullptr : std::make_shared<HttpTls>(options.tls_cert, options.tls_key);
}

// What is done now and then, beside serving: NARs that nobody published, old tokens, memory that nobody uses.
class Housekeeping {
 public:
  Housekeeping(server::CacheFiles& cache, server::Accounts& accounts)
      : thread_([this, &cache, &accounts] { run(cache, accounts); }) {}
  Housekeeping(const Housekeeping&) = delete;
  Housekeeping& operator=(const Housekeeping&) = delete;
  ~Housekeeping() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  static constexpr auto pause = std::chrono::seconds(10);
  static constexpr int pauses_between_sweeps = 360;
  static constexpr int64_t expired_tokens_stay = 30 * 24 * 60 * 60;  // seconds, for those who look for them

  void run(server::CacheFiles& cache, server::Accounts& accounts) {
    for (int pauses = 0;; ++pauses) {
      if (pauses % pauses_between_sweeps == 0) sweep(cache, accounts);
      count(cache);
      return_freed_memory();
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, pause, [&] { return is_over_; })) return;
    }
  }
  static void sweep(server::CacheFiles& cache, server::Accounts& accounts) {
    try {
      const size_t removed = cache.remove_orphans();
      if (removed > 0) log::info("removed {} NARs that no narinfo names", removed);
      accounts.tokens.remove_expired(server::unix_time() - expired_tokens_stay);
    } catch (const std::exception& error) {
      log::warning("looking for what is not needed any more: {}", message_of(error));
    }
  }

  static void count(server::CacheFiles& cache) {
    try {
      cache.count_again();
    } catch (const std::exception& error) {
      log::warning("counting what is in the cache: {}", message_of(error));
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_over_ = false;
  std::thread thread_;  // last: it uses the others
};

// The files of --data itself.
uint64_t database_bytes(const server::ServerSettings& options) {
  uint64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(options.data))
    if (entry.is_regular_file()) bytes += entry.file_size();
  return bytes;
}

void say_what_is_on(const server::ServerSettings& options, uint16_t port, const server::Database& database,
                    const server::ObjectStore& files, const server::RegisteredKeys& keys,
                    const server::Accounts& accounts) {
  log::info("listening on {}://{}, data in {}{}", options.tls_cert.empty() ? "http" : "https",
            options.listen.with_port(port), options.data.string(),
            options.token_file.empty() ? "; no --token-file: there is no operator's token" : "");
  log::info("the database: {}; the files: {}", database.name(), files.name());
  if (!options.oidc_issuer.empty())
    log::info(
        "people log in at {}{}", printable_url(options.oidc_issuer),
        accounts.page_sessions.is_on() ? "" : "; not at the pages: that needs a --public-url with https");
  if (keys.empty())
    log::warning(
        "development mode: no --trusted-key is registered, so signatures are not verified, and every build "
        "is shown as "
        "not verified");
  else
    log::info("signatures are verified with the trusted keys {}", keys.names());
}

server::AccountOptions account_options(const server::ServerSettings& options) {
  if (options.oidc_issuer.empty() != options.oidc_client_id.empty())
    fail_usage("flox-catalog: only one of --oidc-issuer and --oidc-client-id is given",
               "Pass both, or none.");
  server::AccountOptions accounts{
      .login = {.issuer = options.oidc_issuer,
                .client_id = options.oidc_client_id,
                .user_claim = options.oidc_user_claim},
      .page_login = {.public_url = options.public_url, .client_id = options.oidc_pages_client_id},
      .audit_log = options.audit_log.empty() ? options.data / "audit.log" : options.audit_log,
      .audit_log_bytes = options.audit_log_size.bytes,
      .audit_log_files = static_cast<unsigned>(options.audit_log_files)};
  if (!options.token_file.empty())
    accounts.operator_token =
        in_context("--token-file", [&] { return read_secret_file(options.token_file); });
  if (!options.oidc_pages_client_secret_file.empty())
    accounts.page_login.client_secret = in_context("--oidc-pages-client-secret-file", [&] {
      return read_secret_file(options.oidc_pages_client_secret_file);
    });
  if (!options.oidc_rules.empty())
    accounts.rules = in_context("--oidc-rules", [&] {
      return server::parse_exchange_rules(read_file(options.oidc_rules, 1 << 20),
                                          options.oidc_rules.string());
    });
  return accounts;
}

server::RateLimit rate_limit(const server::ServerSettings& options, size_t per_second) {
  return {.per_second = per_second, .burst = std::chrono::seconds(options.rate_burst)};
}

std::shared_ptr<const TrustedProxies> trusted_proxies(const server::ServerSettings& options) {
  if (options.trusted_proxies.empty()) return nullptr;
  return in_context("--trusted-proxy",
                    [&] { return std::make_shared<const TrustedProxies>(options.trusted_proxies); });
}

std::unique_ptr<trace::Exporter> span_exporter(const server::ServerSettings& options) {
  if (options.traces_to.empty()) return nullptr;
  return std::make_unique<trace::Exporter>(
      trace::ExportOptions{.url = options.traces_to,
                           .service = "flox-catalog",
                           .version = FLOX_VERSION,
                           .percent = static_cast<unsigned>(options.trace_percent)});
}

std::string further_metrics(const HttpServer* http, const trace::Exporter* spans) {
  MetricsPage page;
  const auto count = [&](const char* name, const char* help, uint64_t value) {
    page.counter(name, help).Increment(static_cast<double>(value));
  };
  count("flox_catalog_spans_exported_total", "Spans that the collector of traces took.",
        spans == nullptr ? 0 : spans->counters().exported.load());
  count("flox_catalog_spans_dropped_total", "Spans that were lost: no collector took them.",
        spans == nullptr ? 0 : spans->counters().dropped.load());
  return (http == nullptr ? "" : metrics_text(http->counters(), "flox_catalog_http_")) + page.text();
}

void serve(const server::ServerSettings& options) {
  server::AccountOptions wanted = account_options(options);
  const server::RegisteredKeys keys(options.trusted_keys);
  if (options.timestamp_life < std::chrono::seconds(2))
    fail_usage("flox-catalog: --timestamp-life is under 2 seconds", "Pass a duration, as 24h.");
  server::CacheLimits limits = server::cache_limits(options);
  const std::shared_ptr<HttpTls> tls = make_tls(options);
  const auto proxies = trusted_proxies(options);
  raise_descriptor_limit(options.max_connections);
  ::mallopt(M_ARENA_MAX, 2);  // else each thread keeps what it has freed

  const server::StopSignals signals;  // before any thread starts

  const auto spans = span_exporter(options);
  fs::create_directories(options.data);
  const std::unique_ptr<server::Database> database = server::open_storage_database(options);
  server::Records records(*database);
  server::EnvironmentRecords environments(*database);
  const std::unique_ptr<server::ObjectStore> files = server::open_storage_files(options, server::Use::serve);
  limits.database_bytes = database_bytes(options);
  server::NarRecords nars(*database);
  server::CacheFiles cache(*files, nars, keys, limits);
  std::atomic<const HttpServer*> serving{nullptr};
  std::atomic<bool> is_stopping{false};
  server::AttestationRecords attestations(*database);
  server::StartProfileRecords start_profiles(*database);
  server::Accounts accounts(*database, std::move(wanted));
  server::TrustRecords trust_records(*database);
  const server::NameFiles name_files(*database);
  const fs::path online_key = options.online_key.empty() ? options.data / "online.key" : options.online_key;
  server::TrustService trust(
      trust_records, name_files,
      {.online_key = server::read_or_make_online_key(online_key), .timestamp_life = options.timestamp_life});
  server::Api api(records, environments, attestations, start_profiles, trust, cache, keys, accounts,
                  {.token_limit = rate_limit(options, options.rate_limit),
                   .address_limit = rate_limit(options, options.anonymous_rate_limit),
                   .spans = spans.get(),
                   .public_url = options.public_url,
                   .further_metrics = [&] { return further_metrics(serving, spans.get()); },
                   .is_stopping = [&] { return is_stopping.load() || signals.is_stop_pending(); }});
  api.add(server::add_pages);
  HttpServer server({.address = options.listen.address,
                     .port = options.listen.port,
                     .threads = 4,
                     .max_body = 1 << 20,
                     .max_upload = limits.max_upload,
                     .admit = [&](const ServerRequest& head) { api.admit(head); },
                     .begin_upload = [&](const ServerRequest& head) { return api.begin_upload(head); },
                     .at_once = [&](const ServerRequest& head) { return api.at_once(head); },
                     .fixed = {{"/healthz", "ok\n"}},
                     .max_connections = options.max_connections,
                     .max_connections_per_peer = options.max_connections_per_peer,
                     .max_memory = 24 << 20,
                     .transport = tls,
                     .trusted_proxies = proxies},
                    [&](const ServerRequest& request) { return api.handle(request); });
  serving = &server;
  const Housekeeping housekeeping(cache, accounts);
  say_what_is_on(options, server.port(), *database, *files, keys, accounts);
  if (!options.port_file.empty()) write_file(options.port_file, fmt::format("{}\n", server.port()));
  signals.wait(tls.get());
  is_stopping = true;
  signals.end(server, options.stop_delay, options.stop_timeout);
}

// Of another flox-catalog, as a probe or `helm test` asks: its image or package has this program, and no
// other.
int require_ready(const std::string& url) {
  const catalog::Readiness readiness = catalog::ask_readiness(url, std::chrono::seconds(20));
  if (!readiness.is_ready())
    throw Error(ErrorKind::unavailable,
                readiness.away.empty()
                    ? fmt::format("{} answers /readyz with {}", printable_url(url), readiness.status)
                    : fmt::format("{} is not ready: {}", printable_url(url), readiness.away),
                "Read its log, which says why.");
  fmt::print("{} is ready\n", printable_url(url));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return flox::run_program([&] {
    CLI::App app{"The catalog: packages, their versions, and the binary cache that serves them.",
                 "flox-catalog"};
    app.footer(
        "Examples:\n"
        "  flox-catalog --data ./catalog\n"
        "  flox-catalog --listen 0.0.0.0:8590 --token-file /etc/flox/token \\\n"
        "    --trusted-key \"$(cat ops-1.pub)\" --tls-cert /etc/flox/tls.crt --tls-key /etc/flox/tls.key\n"
        "  flox-catalog --data ./catalog export ./backup\n\n"
        "SIGTERM and SIGINT stop it once requests in progress are answered, a second one at once. SIGHUP "
        "reads the TLS\n"
        "certificate and key again, which happens by itself, too, within a minute after they are replaced.");
    if (asks_for_manual(argc, argv)) keep_declared_settings();
    server::ServerSettings options;
    bool verbose = false;
    std::string check;
    app.set_version_flag("-V,--version", FLOX_VERSION);
    SettingGroup* const groups[] = {&options};
    read_variables(groups);
    add_setting_options(app, options);
    app.add_flag("--verbose", verbose, "Log every request.");
    app.add_option(
           "--check", check,
           "Serve nothing: ask the catalog at this URL whether it is ready, and exit with 0 if it is.")
        ->type_name("URL");
    std::function<void()> work = [&] { serve(options); };
    server::add_export_command(app, options, work);
    server::add_import_command(app, options, work);
    server::add_mirror_command(app, options, work);
    server::add_copy_command(app, options, work);
    add_self_description(app, {.is_shown = false, .section = 8});
    return run_command_line(app, argc, argv, [&] {
      if (!check.empty()) return require_ready(check);
      if (verbose) log::set_level(log::Level::debug);
      work();
      return 0;
    });
  });
}
