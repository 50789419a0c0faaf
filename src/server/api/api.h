// The catalog's HTTP API: every request goes to its route (docs/reference/catalog-api.md).
#pragma once

#include <functional>
#include <memory>

#include "server/api/context.h"
#include "server/api/router.h"

namespace flox::server {

// Thread-safe. Changes, and refused ones, go to the audit log.
class Api {
 public:
  // The references must outlive it. Finds the signers of recorded builds again if other keys are registered.
  Api(Records& records, EnvironmentRecords& environments, AttestationRecords& attestations,
      TrustService& trust, CacheFiles& cache, const RegisteredKeys& keys, Accounts& accounts,
      ApiOptions options);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;
  // Refuses by its head a request for an unknown resource or without permission (HttpServerOptions::admit).
  void admit(const ServerRequest& head);
  // Where the body of a PUT goes (HttpServerOptions::begin_upload).
  std::shared_ptr<UploadSink> begin_upload(const ServerRequest& head) const {
    return router_.begin_upload(head);
  }
  // What needs no handler (HttpServerOptions::at_once).
  std::optional<ServerResponse> at_once(const ServerRequest& head);
  ServerResponse handle(const ServerRequest& request);

 private:
  std::shared_ptr<const Caller> authorise(const Call& call) const;
  // Logs and counts it.
  void refused(const ServerRequest& request, const Error& error);

  ApiContext context_;
  Router router_;
};

}  // namespace flox::server
