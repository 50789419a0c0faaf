// The catalog's HTTP API: routes requests to records and cache files (docs/catalog-api.md).
#pragma once

#include <atomic>
#include <string>

#include "base/http_server.h"
#include "server/cache_files.h"
#include "server/environments.h"
#include "server/records.h"

namespace flox::server {

// Thread-safe. An empty token refuses every change.
class Api {
 public:
  Api(Records& records, EnvironmentRecords& environments, CacheFiles& cache, std::string token)
      : records_(records), environments_(environments), cache_(cache), token_(std::move(token)) {}
  // Refuses by its head a request that may not change what it asks to change (HttpServerOptions::admit).
  void admit(const ServerRequest& head) const;
  ServerResponse handle(const ServerRequest& request);

 private:
  ServerResponse cache_file(const ServerRequest& request, std::string_view name);
  ServerResponse packages(const ServerRequest& request, std::string name);
  ServerResponse add_build(const ServerRequest& request, const std::string& name);
  ServerResponse environment(const ServerRequest& request, const std::string& reference);
  ServerResponse push(const ServerRequest& request, const std::string& owner, const std::string& name);
  ServerResponse metrics() const;
  void authorise(const ServerRequest& request) const;

  Records& records_;
  EnvironmentRecords& environments_;
  CacheFiles& cache_;
  std::string token_;
  std::atomic<uint64_t> requests_{0};
  std::atomic<uint64_t> published_{0};
  std::atomic<uint64_t> nars_served_{0};
};

}  // namespace flox::server
