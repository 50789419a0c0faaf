// Generations of a catalog as the content of environments here: what flox push, pull, generations and
// activate share.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "catalog/client.h"
#include "env/environment.h"

namespace flox::cli {

env::GenerationMark mark_of(const catalog::Pushed& generation);
// The origin of a generation that is taken now. `latest` is the catalog's latest, if that is known; `before`
// what was here.
env::Origin origin_of(const std::string& catalog_url, const catalog::EnvironmentName& name,
                      const env::GenerationMark& here, const std::optional<env::GenerationMark>& latest,
                      const std::optional<env::Origin>& before);

// Lines for a message, each on one of its own and indented: what changes from one content to the other, at
// most twenty of them. "\n  nothing but comments or layout" if only the text of the manifest differs.
std::string difference_text(const env::Lockfile& before, const env::Lockfile& after);

// The environment of the catalog that an origin names. Throws Error(invalid_input) for what cannot be one: an
// origin comes with its environment, which may be somebody's repository.
catalog::EnvironmentName name_in(const env::Origin& origin);

// What Environment::check_out asks before it replaces an environment by a generation: Error(conflict), with
// the differences, if that is not the environment's origin or if the environment has been changed since. With
// `force` anything may be replaced.
struct ReplaceRequest {
  std::string doing;  // "pulling acme/web"
  catalog::EnvironmentName name;
  const catalog::Pushed& generation;
  bool force = false;
};
std::function<void(const env::EnvironmentFiles&)> may_replace(const env::Environment& environment,
                                                              ReplaceRequest request);

// The environment's origin. Throws Error(invalid_input), with advice, if it has none.
env::Origin require_origin(const env::Environment& environment, const std::string& doing);
// Throws Error(conflict) if it came from another catalog than the one that is configured.
void require_configured_catalog(const env::Origin& origin, const std::string& doing,
                                const std::string& advice);

}  // namespace flox::cli
