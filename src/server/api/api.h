// The catalog's HTTP API: every request goes to its route (docs/reference/catalog-api.md).
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "server/api/context.h"
#include "server/api/rate_limits.h"
#include "server/api/router.h"

namespace flox::server {

// Thread-safe. Changes, and refused ones, go to the audit log.
class Api {
 public:
  // The references must outlive it. Finds the signers of recorded builds again if other keys are registered.
  Api(Records& records, EnvironmentRecords& environments, AttestationRecords& attestations,
      StartProfileRecords& start_profiles, TrustService& trust, CacheFiles& cache, const RegisteredKeys& keys,
      Accounts& accounts, ApiOptions options);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;
  // Adds further routes, as for pages: before the first request. What they need of the API is the context,
  // which lives as long as it.
  void add(const std::function<void(Router&, ApiContext&)>& add_routes) { add_routes(router_, context_); }
  // Refuses by its head a request for an unknown resource or without permission (HttpServerOptions::admit).
  void admit(const ServerRequest& head);
  // Where the body of a PUT goes (HttpServerOptions::begin_upload).
  std::shared_ptr<UploadSink> begin_upload(const ServerRequest& head) const {
    return router_.begin_upload(head);
  }
  // What needs no handler (HttpServerOptions::at_once).
  std::optional<ServerResponse> at_once(const ServerRequest& head);
  ServerResponse handle(const ServerRequest& request);
  const Router& router() const noexcept { return router_; }

 private:
  std::shared_ptr<const Caller> authorise(const Call& call) const;
  // Throws RetryLater, 429, if the caller has made too many requests.
  void check_rate(const ServerRequest& head);
  ServerResponse answer(const ServerRequest& request);
  // Logs and counts it.
  void refused(const ServerRequest& request, const Error& error);

  ApiContext context_;
  Router router_;
  RateLimiter token_limit_, address_limit_;
  std::atomic<int64_t> said_limited_{0};  // when somebody was last said to be limited, seconds since 1970
};

}  // namespace flox::server
