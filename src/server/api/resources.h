// The resources of the API, one file each. Each function adds its routes; the context must outlive the
// router.
#pragma once

#include "server/api/context.h"
#include "server/api/router.h"

namespace flox::server {

// The narinfos of all that the paths need, as far as it is in the cache and the caller may read it: what
// becomes readable for who may see the thing (Visibility::publish_files).
std::vector<nix::NarInfo> files_here(ApiContext& context, const Caller& caller,
                                     const nix::StorePathSet& paths);

// The answer to a request for a file that is in memory, and that everyone may read; nothing for any other.
// Never blocks.
std::optional<ServerResponse> hot_file(ApiContext& context, const ServerRequest& request);
// All that the lock installs.
nix::StorePathSet paths_of(const env::Lockfile& lock);

void add_package_routes(Router& router, ApiContext& context);
void add_collect_routes(Router& router, ApiContext& context);
void add_environment_routes(Router& router, ApiContext& context);
void add_node_routes(Router& router, ApiContext& context);
void add_cache_routes(Router& router, ApiContext& context);
void add_attestation_routes(Router& router, ApiContext& context);
void add_start_profile_routes(Router& router, ApiContext& context);
void add_trust_routes(Router& router, ApiContext& context);
void add_auth_routes(Router& router, ApiContext& context);
void add_retention_routes(Router& router, ApiContext& context);
void add_owner_routes(Router& router, ApiContext& context);
void add_health_routes(Router& router, ApiContext& context);
void add_document_routes(Router& router, ApiContext& context);

}  // namespace flox::server
