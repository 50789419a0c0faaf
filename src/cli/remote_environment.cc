#include "cli/remote_environment.h"

#include "base/error.h"
#include "base/os/private_directory.h"
#include "cli/catalog_access.h"
#include "cli/generation_files.h"
#include "cli/local_or_pod.h"
#include "cli/say.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

catalog::EnvironmentName chosen_environment(const std::string& reference, const std::string& directory,
                                            int64_t generation) {
  catalog::EnvironmentName name;
  if (reference.empty()) {
    name = name_in(require_origin(env::Environment::find(directory), "activating a generation"));
  } else {
    name = catalog::parse_environment_name(reference);
  }
  if (name.generation && generation > 0 && *name.generation != generation)
    fail(ErrorKind::invalid_input, "'{}' is generation {}, and --generation {}", reference, *name.generation,
         generation);
  if (generation > 0) name.generation = generation;
  return name;
}

// Owner and name are what file names can be (check_environment_name).
fs::path cached_directory(const catalog::EnvironmentName& name) {
  const fs::path of_owner = user_cache_directory("remote") / name.owner;
  return of_owner / (name.generation ? fmt::format("{}@{}", name.name, *name.generation) : name.name);
}

// What the cache has, for as long as the catalog cannot be asked.
std::optional<env::Environment> cached(const fs::path& directory, const std::string& catalog_url) {
  if (!fs::exists(directory / ".flox")) return std::nullopt;
  env::Environment environment = env::Environment::open(directory);
  const auto origin = environment.origin();
  if (!origin || origin->catalog != catalog::catalog_identity(catalog_url)) return std::nullopt;
  return environment;
}

env::Environment written(const fs::path& directory, const catalog::EnvironmentName& name,
                         const env::Checkout& checkout) {
  if (!fs::exists(directory / ".flox")) try {
      return env::Environment::init(directory, name.name, checkout);
    } catch (const Error& error) {  // somebody was quicker
      if (error.kind() != ErrorKind::conflict) throw;
    }
  env::Environment environment = env::Environment::open(directory);
  environment.check_out(
      checkout, [](const env::EnvironmentFiles&) {}, writing(environment, "flox activate"));
  return environment;
}

}  // namespace

env::Environment remote_environment(const std::string& reference, const std::string& directory,
                                    int64_t generation) {
  if (in_pod())
    throw Error(ErrorKind::invalid_input, "activating an environment of the catalog: this is a pod",
                "Name it by the pod's annotation flox.dev/environment.");
  const catalog::EnvironmentName name = chosen_environment(reference, directory, generation);
  const Config config = Config::load();
  const fs::path place = cached_directory(name);
  try {
    const catalog::Pushed found = verified_catalog(readable_token(config))->environment(name).pushed;
    return written(
        place, name,
        {.manifest = found.manifest,
         .lock = found.lock,
         .origin = origin_of(config.catalog_url, name, mark_of(found), std::nullopt, std::nullopt)});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
    const auto environment = cached(place, config.catalog_url);
    if (!environment) throw;
    say("! {}; using generation {} of {}/{}, which is here\n", error.what(),
        environment->origin()->here.number, name.owner, name.name);
    return *environment;
  }
}

}  // namespace flox::cli
