// flox-catalog's settings: options of its command line.
#pragma once

#include "base/settings/setting.h"

namespace flox::server {

struct ServerSettings : SettingGroup {
  ServerSettings() : SettingGroup("Options of flox-catalog") {}

  AddressPort listen = declare(
      listen,
      {.option = "--listen", .help = "Address and port to serve HTTP at; port 0: the system chooses."},
      {.address = "127.0.0.1", .port = 8590});
  std::filesystem::path data =
      declare(data, {.option = "--data", .help = "Directory of the database and the cache's files."},
              "/var/lib/flox/catalog");
  std::string database = declare(
      database,
      {.variable = "FLOX_CATALOG_DATABASE",
       .option = "--database",
       .help = "Database to use instead of a file of --data: postgresql://USER@HOST/DATABASE. Any number of "
               "catalogs may share it.",
       .is_url = true});
  std::filesystem::path database_password_file = declare(
      database_password_file,
      {.option = "--database-password-file", .help = "File (mode 0600) with the password for --database."});
  Secret database_password = declare(
      database_password, {.variable = "FLOX_CATALOG_DATABASE_PASSWORD",
                          .help = "The password for --database, if there is no --database-password-file."});
  std::string files = declare(
      files,
      {.option = "--files",
       .help = "Bucket of S3 for the cache's files instead of a directory of --data: "
               "s3://BUCKET/PREFIX?region=R, and for other servers than Amazon's endpoint=URL. Any number "
               "of catalogs that share a --database may share it.",
       .is_url = true});
  std::string presign = declare(
      presign,
      {.option = "--presign",
       .help =
           "Redirect clients that fetch a NAR to a URL of the bucket of --files, which is good for an hour: "
           "always, never (all goes through the catalog), or auto: if the bucket is at port 443 or 80."},
      "auto");
  std::filesystem::path token_file = declare(
      token_file,
      {.option = "--token-file",
       .help =
           "File (mode 0600) with the operator's token, which may do everything: publish, and make owners. "
           "Without one, only tokens that the catalog gave out change anything."});
  std::vector<std::string> trusted_keys = declare(
      trusted_keys,
      {.option = "--trusted-key",
       .help =
           "Public key (NAME:BASE64) whose signatures are accepted, and after spaces the packages that it "
           "may "
           "sign: names, or patterns with *; all if there are none. Repeat it for further keys. Without one "
           "nothing is verified."});
  std::chrono::seconds timestamp_life = declare(
      timestamp_life,
      {.option = "--timestamp-life",
       .help = "Time for which nodes take the catalog's word that nothing newer was published. It is given "
               "anew at each change, and when half of the time is over."},
      std::chrono::hours(24));
  std::filesystem::path online_key = declare(
      online_key, {.option = "--online-key",
                   .help = "File (mode 0600) with the key that signs timestamps, made if it is missing; "
                           "without it: online.key "
                           "in the data directory. Catalogs that share a --database need the same one."});
  std::filesystem::path tls_cert =
      declare(tls_cert,
              {.option = "--tls-cert", .help = "PEM file: serve HTTPS with this certificate and its chain."});
  std::filesystem::path tls_key = declare(
      tls_key, {.option = "--tls-key",
                .help = "PEM file (mode 0600) with its key; SIGHUP makes the catalog read both again."});
  std::string public_url =
      declare(public_url,
              {.option = "--public-url",
               .help = "URL by which clients reach the catalog, for addresses in answers; without it: as the "
                       "request says.",
               .is_url = true});
  Size max_upload =
      declare(max_upload, {.option = "--max-upload", .help = "The largest file that may be uploaded."},
              {16ULL << 30});
  Size max_store_bytes = declare(
      max_store_bytes, {.option = "--max-store-bytes",
                        .help = "Size of all files together; 0: what the file system holds, but for 256M."});
  std::chrono::hours orphan_age = declare(
      orphan_age,
      {.option = "--orphan-age",
       .help = "Time after which an uploaded NAR that was not published is removed: hours, or 36h, 7d.",
       .least = 1,
       .most = 24 * 365},
      std::chrono::hours(24));
  std::string oidc_issuer = declare(
      oidc_issuer, {.option = "--oidc-issuer",
                    .help = "URL of the OpenID Connect issuer at which people log in: flox auth login.",
                    .is_url = true});
  std::string oidc_client_id =
      declare(oidc_client_id, {.option = "--oidc-client-id",
                               .help = "The client that flox is at that issuer; its tokens must be for it."});
  std::string oidc_user_claim = declare(
      oidc_user_claim,
      {.option = "--oidc-user-claim", .help = "Claim of the issuer's tokens that names the user."}, "email");
  std::string oidc_pages_client_id = declare(
      oidc_pages_client_id,
      {.option = "--oidc-pages-client-id",
       .help = "The client that the catalog's pages are at that issuer, with the redirect URL "
               "PUBLIC-URL/login/callback; without it: that of --oidc-client-id. People sign in at the pages "
               "if there is a --public-url with https, too."});
  std::filesystem::path oidc_pages_client_secret_file = declare(
      oidc_pages_client_secret_file, {.option = "--oidc-pages-client-secret-file",
                                      .help = "File (mode 0600) with that client's secret, if it has one."});
  std::filesystem::path oidc_rules = declare(
      oidc_rules,
      {.option = "--oidc-rules",
       .help = "TOML file that says which workloads' tokens are exchanged for which owner's: CI jobs, "
               "Kubernetes service accounts."});
  std::filesystem::path audit_log =
      declare(audit_log, {.option = "--audit-log",
                          .help = "File for a line about each change and each refused change; without it: "
                                  "audit.log in the data directory."});
  Size audit_log_size = declare(
      audit_log_size,
      {.option = "--audit-log-size", .help = "Size at which the audit log is begun anew.", .least = 1 << 12},
      {64ULL << 20});
  size_t audit_log_files = declare(audit_log_files,
                                   {.option = "--audit-log-files",
                                    .help = "How many older files of the audit log are kept.",
                                    .most = 1000},
                                   8);
  std::chrono::seconds stop_delay = declare(
      stop_delay,
      {.option = "--stop-delay",
       .help =
           "Time after SIGTERM in which /readyz answers 503 and everything else is served as before, so that "
           "load balancers send clients elsewhere."},
      std::chrono::seconds(0));
  std::chrono::seconds stop_timeout =
      declare(stop_timeout,
              {.option = "--stop-timeout",
               .help = "Time after that in which transfers and requests in progress may end."},
              std::chrono::seconds(20));
  size_t max_connections = declare(
      max_connections,
      {.option = "--max-connections",
       .help = "Connections at once; a new one over the limit closes the one that has waited longest.",
       .least = 8,
       .most = 1'000'000},
      4096);
  size_t max_connections_per_peer =
      declare(max_connections_per_peer,
              {.option = "--max-connections-per-peer",
               .help = "Connections at once of one IPv4 address or IPv6 /64; 0: as many as in all."});
  size_t rate_limit =
      declare(rate_limit,
              {.option = "--rate-limit",
               .help = "Requests a second that are answered for one token, but for the operator's; more get "
                       "429 with Retry-After. 0: any number.",
               .most = 1'000'000});
  size_t anonymous_rate_limit = declare(
      anonymous_rate_limit,
      {.option = "--anonymous-rate-limit",
       .help =
           "The same for one IPv4 address or IPv6 /64 without a token. A node that fetches an environment "
           "makes two requests for each path that it lacks.",
       .most = 1'000'000});
  size_t rate_burst = declare(rate_burst,
                              {.option = "--rate-burst",
                               .help = "So many seconds' requests may come at once after a pause.",
                               .least = 1,
                               .most = 3600},
                              10);
  std::vector<std::string> trusted_proxies = declare(
      trusted_proxies, {.option = "--trusted-proxy",
                        .help = "Address or network (10.0.0.0/8) of a proxy whose Forwarded or "
                                "X-Forwarded-For says who the client "
                                "is; what others say in them is not believed. Repeat it for further ones."});
  std::string traces_to = declare(traces_to, {.variable = "OTEL_EXPORTER_OTLP_ENDPOINT",
                                              .option = "--traces-to",
                                              .help = "URL of an OpenTelemetry collector (OTLP over HTTP), "
                                                      "as http://collector:4318, that gets a trace of each "
                                                      "request; without it: none.",
                                              .is_url = true});
  size_t trace_percent = declare(trace_percent,
                                 {.option = "--trace-percent",
                                  .help = "How many of a hundred requests that belong to no caller's trace "
                                          "are recorded. A caller's trace is "
                                          "recorded if the caller records it.",
                                  .most = 100},
                                 100);
  std::filesystem::path port_file = declare(
      port_file, {.option = "--port-file", .help = "File to write the port to once the catalog listens."});
};

}  // namespace flox::server
