// The configured catalog, as the commands that read from it use it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "catalog/answer_verifier.h"
#include "catalog/client.h"

namespace flox::cli {

// Without the token, which reading packages does not need. Errors come with the first request.
catalog::Client configured_catalog();
// With the configured token. Throws Error if its file cannot be used.
catalog::Client configured_catalog_with_token();
// For those who act on its answers: they are verified, and a warning that they pass only because of
// allow_unsigned goes to stderr.
std::unique_ptr<catalog::VerifiedCatalog> verified_catalog(Secret token = {});
void warn_on_stderr(const std::string& warning);

// A JSON list on standard output.
void print_json(const std::vector<catalog::PackageBuild>& builds);

}  // namespace flox::cli
