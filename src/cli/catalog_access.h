// The configured catalog, as the commands that read from it use it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "catalog/answer_verifier.h"
#include "catalog/client.h"
#include "catalog/settings.h"
#include "node/floxd/config.h"

namespace flox::cli {

// With the configured token if it can be read, which what is public does not need. Errors come with the first
// request.
catalog::Client configured_catalog();
// With the configured token. Throws Error if its file cannot be used.
catalog::Client configured_catalog_with_token();
// For those who act on its answers: they are verified, and a warning that they pass only because of
// allow_unsigned goes to stderr. What was seen is written down unless `remember` is false: for commands that
// only read.
std::unique_ptr<catalog::VerifiedCatalog> verified_catalog(Secret token, bool remember = true);
// The same for another catalog than the configured one.
std::unique_ptr<catalog::VerifiedCatalog> verified_catalog_at(const std::string& url, Secret token,
                                                              bool remember = true);
void warn_on_stderr(const std::string& warning);

// The configured token; empty if there is none, or its file cannot be used.
Secret readable_token(const Config& config);

// Where store paths are fetched from (catalog::caches_of), the catalog's cache as the user who has logged in.
std::vector<std::string> readable_caches(const Config& config);

// A JSON list on standard output.
void print_json(const std::vector<catalog::PackageBuild>& builds);

}  // namespace flox::cli
