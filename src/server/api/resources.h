// The resources of the API, one file each. Each function adds its routes; the context must outlive the
// router.
#pragma once

#include "server/api/context.h"
#include "server/api/router.h"

namespace flox::server {

// Lets who may see the thing read what the paths need, as far as it is in the cache and the caller may read
// it.
void publish_files_of(ApiContext& context, const Caller& caller, const Holding& holding,
                      const nix::StorePathSet& paths);
// The same of all that the lock installs.
void publish_files_of(ApiContext& context, const Caller& caller, const Holding& holding,
                      const env::Lockfile& lock);
// The answer to a request for a file that is in memory, and that everyone may read; nothing for any other.
// Never blocks.
std::optional<ServerResponse> hot_file(ApiContext& context, const ServerRequest& request);

void add_package_routes(Router& router, ApiContext& context);
void add_environment_routes(Router& router, ApiContext& context);
void add_cache_routes(Router& router, ApiContext& context);
void add_attestation_routes(Router& router, ApiContext& context);
void add_trust_routes(Router& router, ApiContext& context);
void add_auth_routes(Router& router, ApiContext& context);
void add_owner_routes(Router& router, ApiContext& context);
void add_health_routes(Router& router, ApiContext& context);
void add_document_routes(Router& router, ApiContext& context);

}  // namespace flox::server
