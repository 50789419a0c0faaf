#include "cli/generation_files.h"

#include <algorithm>

#include "base/error.h"
#include "catalog/settings.h"
#include "env/lock_difference.h"
#include "node/floxd/config.h"

namespace flox::cli {

env::GenerationMark mark_of(const catalog::Pushed& generation) {
  return {.number = generation.generation,
          .digest = env::content_digest(generation.manifest, generation.lock)};
}

env::Origin origin_of(const std::string& catalog_url, const catalog::EnvironmentName& name,
                      const env::GenerationMark& here, const std::optional<env::GenerationMark>& latest,
                      const std::optional<env::Origin>& before) {
  env::Origin origin{.catalog = catalog::catalog_identity(catalog_url),
                     .owner = name.owner,
                     .name = name.name,
                     .here = here,
                     .latest = latest.value_or(here)};
  if (before && before->reference() == origin.reference())
    origin.previous = before->here.number == here.number ? before->previous : before->here.number;
  return origin;
}

catalog::EnvironmentName name_in(const env::Origin& origin) {
  catalog::check_environment_name(origin.owner, origin.name);
  return {.owner = origin.owner, .name = origin.name, .generation = {}};
}

std::string difference_text(const env::Lockfile& before, const env::Lockfile& after) {
  constexpr size_t most = 20;
  const std::vector<std::string> lines = env::lock_differences(before, after);
  if (lines.empty()) return "\n  nothing but comments or layout of manifest.toml";
  std::string text;
  for (size_t i = 0; i < std::min(lines.size(), most); ++i) text += "\n  " + lines[i];
  if (lines.size() > most) text += fmt::format("\n  and {} more", lines.size() - most);
  return text;
}

std::function<void(const env::EnvironmentFiles&)> may_replace(const env::Environment& environment,
                                                              ReplaceRequest request) {
  return [directory = environment.directory().string(),
          request = std::move(request)](const env::EnvironmentFiles& before) {
    if (request.force) return;
    const std::string digest = env::content_digest(before);
    if (digest == mark_of(request.generation).digest) return;
    const std::string reference = request.name.owner + "/" + request.name.name;
    std::optional<env::Origin> origin;
    if (before.origin) origin = env::Origin::parse(*before.origin, directory + "/.flox/env/origin.json");
    if (!origin || origin->reference() != reference)
      throw Error(ErrorKind::conflict,
                  fmt::format("{}: {} has an environment already, which {}", request.doing, directory,
                              origin ? "is " + origin->reference() : "does not come from there"),
                  "Pass another directory with -d DIR, or replace it with --force.");
    if (digest == origin->here.digest) return;
    std::string differences;
    if (before.lock)
      differences = fmt::format(
          ". From what is here to generation {}:{}", request.generation.generation,
          difference_text(env::Lockfile::parse(*before.lock, directory + "/.flox/env/manifest.lock"),
                          request.generation.lock));
    throw Error(ErrorKind::conflict,
                fmt::format("{}: the environment in {} has been changed since generation {}{}", request.doing,
                            directory, origin->here.number, differences),
                "Publish the changes with 'flox push', or give them up with --force.");
  };
}

env::Origin require_origin(const env::Environment& environment, const std::string& doing) {
  if (auto origin = environment.origin()) return *origin;
  throw Error(
      ErrorKind::invalid_input,
      fmt::format("{}: the environment in {} comes from no catalog", doing, environment.directory().string()),
      "Publish it with 'flox push', or name one of the catalog: OWNER/NAME.");
}

void require_configured_catalog(const env::Origin& origin, const std::string& doing,
                                const std::string& advice) {
  const std::string configured = catalog::catalog_identity(Config::load().catalog_url);
  if (origin.catalog != configured)
    throw Error(ErrorKind::conflict,
                fmt::format("{}: it came from the catalog at {}, and the configured one is {}", doing,
                            origin.catalog, configured),
                advice);
}

}  // namespace flox::cli
