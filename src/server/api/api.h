// The catalog's HTTP API: routes requests to records and cache files (docs/reference/catalog-api.md).
#pragma once

#include <functional>
#include <string>

#include "base/data/secret.h"
#include "base/net/server/http_server.h"
#include "base/net/server/metrics_page.h"
#include "server/files/cache_files.h"
#include "server/records/environments.h"
#include "server/records/records.h"
#include "server/records/registered_keys.h"

namespace flox::server {

struct ApiOptions {
  Secret token;            // empty: every change is refused
  std::string public_url;  // how clients reach the catalog; empty: as their Host field says
  std::function<std::string()> further_metrics = [] { return std::string(); };  // Prometheus' text format
};

// Thread-safe.
class Api {
 public:
  // The references must outlive it. Finds the signers of recorded builds again if other keys are registered.
  Api(Records& records, EnvironmentRecords& environments, CacheFiles& cache, const RegisteredKeys& keys,
      ApiOptions options);
  // Refuses by its head a request for an unknown resource or without permission (HttpServerOptions::admit).
  void admit(const ServerRequest& head) const;
  // Where the body of a PUT goes (HttpServerOptions::begin_upload).
  std::shared_ptr<UploadSink> begin_upload(const ServerRequest& head);
  ServerResponse handle(const ServerRequest& request);

 private:
  std::string base_url(const ServerRequest& request) const;
  // The signer of all outputs, for people: the name of a registered key, or that no registered key signed
  // them.
  std::string signer_of(const catalog::PackageBuild& build, const std::vector<nix::NarInfo>& outputs) const;
  std::string signer_of(const catalog::PackageBuild& build) const;
  void check_claims(catalog::PackageBuild& build) const;
  ServerResponse cache_file(const ServerRequest& request, std::string_view name);
  ServerResponse search(const ServerRequest& request);
  ServerResponse packages(const ServerRequest& request, std::string name);
  ServerResponse add_build(const ServerRequest& request, const std::string& name);
  ServerResponse environment(const ServerRequest& request, const std::string& reference);
  ServerResponse push(const ServerRequest& request, const std::string& owner, const std::string& name);
  ServerResponse ready();
  ServerResponse metrics();
  void authorise(const ServerRequest& request) const;

  Records& records_;
  EnvironmentRecords& environments_;
  CacheFiles& cache_;
  const RegisteredKeys& keys_;
  ApiOptions options_;

  MetricsPage page_;
  MetricsPage::Gauge& builds_ = page_.gauge("flox_catalog_builds", "Builds of packages that are recorded.");
  MetricsPage::Gauge& store_bytes_ =
      page_.gauge("flox_catalog_store_bytes", "Bytes of the binary cache's files.");
  MetricsPage::Counter& requests_ = page_.counter("flox_catalog_requests_total", "Requests.");
  MetricsPage::Counter& published_ = page_.counter("flox_catalog_published_total", "Builds published.");
  MetricsPage::Counter& nars_served_ = page_.counter("flox_catalog_nars_served_total", "NAR files served.");
  MetricsPage::Counter& uploads_refused_ =
      page_.counter("flox_catalog_uploads_refused_total", "Uploads that were refused.");
};

}  // namespace flox::server
