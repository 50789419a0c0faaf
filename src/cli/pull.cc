// flox pull: checks out a published environment, and brings it up to date later.
#include <memory>

#include "base/error.h"
#include "cli/catalog_access.h"
#include "cli/commands.h"
#include "cli/generation_files.h"
#include "cli/known_environments.h"
#include "cli/local_or_pod.h"
#include "env/environment.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

struct PullOptions {
  std::string reference, directory;
  bool force = false, copy = false;
};

env::Checkout checkout_of(const catalog::VerifiedCatalog::Environment& found,
                          const catalog::EnvironmentName& name, const std::optional<env::Origin>& before,
                          bool copy) {
  env::Checkout checkout{.manifest = found.pushed.manifest, .lock = found.pushed.lock, .origin = {}};
  if (!copy)
    checkout.origin =
        origin_of(Config::load().catalog_url, name, mark_of(found.pushed), std::nullopt, before);
  return checkout;
}

void say_pulled(const env::Environment& environment, const catalog::EnvironmentName& name,
                const catalog::VerifiedCatalog::Environment& found) {
  fmt::print("✔ {}/{}, generation {}, is in {}: {}\n", name.owner, name.name, found.pushed.generation,
             environment.directory().string(), catalog::to_string(found.origin));
}

// A catalog that has lost generations, or another one of the same name.
void require_not_older(const catalog::Pushed& latest, const env::Origin& origin, bool force) {
  if (force || latest.generation >= origin.latest.number) return;
  throw Error(ErrorKind::conflict,
              fmt::format("pulling {}: the catalog's latest generation is {}, and here is {} already",
                          origin.reference(), latest.generation, origin.latest.number),
              "Check which catalog this is; take its generation all the same with --force.");
}

void update(const PullOptions& options, const env::Environment& environment,
            const catalog::EnvironmentName& name) {
  const std::optional<env::Origin> before = environment.origin();
  const auto found = verified_catalog(Config::load().token())->environment(name);
  const bool same = before && before->owner == name.owner && before->name == name.name;
  if (same && !name.generation) require_not_older(found.pushed, *before, options.force);
  environment.check_out(checkout_of(found, name, before, options.copy),
                        may_replace(environment, {.doing = "pulling " + name.to_string(),
                                                  .name = name,
                                                  .generation = found.pushed,
                                                  .force = options.force}),
                        writing(environment, "flox pull"));  // it is fetched when it is activated
  remember_environment(environment);
  if (same && before->here == mark_of(found.pushed))
    fmt::print("ℹ {}/{} is at generation {} here already\n", name.owner, name.name, found.pushed.generation);
  else
    say_pulled(environment, name, found);
}

void pull_into(const PullOptions& options, const catalog::EnvironmentName& name) {
  const fs::path directory = options.directory.empty() ? fs::path(name.name) : fs::path(options.directory);
  if (fs::exists(directory / ".flox")) {
    if (options.copy)
      throw Error(ErrorKind::conflict, fmt::format("{} has an environment already", directory.string()),
                  "Pass another directory with -d DIR.");
    return update(options, env::Environment::open(directory), name);
  }
  const auto found = verified_catalog(Config::load().token())->environment(name);
  // A copy is an environment of its own: a push of it must not go over the one that it was made from.
  const auto environment =
      env::Environment::init(directory, options.copy ? env::name_of_directory(directory) : name.name,
                             checkout_of(found, name, {}, options.copy));
  remember_environment(environment);
  say_pulled(environment, name, found);
}

void pull(const PullOptions& options) {
  if (!options.reference.empty())
    return pull_into(options, catalog::parse_environment_name(options.reference));
  const auto environment = env::Environment::find(options.directory.empty() ? "." : options.directory);
  const env::Origin origin = require_origin(environment, "pulling");
  const catalog::EnvironmentName name = name_in(origin);
  if (!options.force)
    require_configured_catalog(
        origin, "pulling " + origin.reference(),
        fmt::format("Set FLOX_CATALOG_URL, or take it from the configured one with 'flox pull {} -d {}'.",
                    origin.reference(), environment.directory().string()));
  update(options, environment, name);
}

}  // namespace

void add_pull(CLI::App& app) {
  auto options = std::make_shared<PullOptions>();
  auto* command = app.add_subcommand("pull", "Check out an environment from the catalog, or update one");
  auto* reference = command->add_option(
      "ENVIRONMENT", options->reference,
      "OWNER/NAME, or OWNER/NAME:GENERATION (default: where the environment of the directory came from)");
  command->add_option("-d,--dir", options->directory,
                      "directory of the environment (default: NAME; without ENVIRONMENT: the current one)");
  command->add_flag("-f,--force", options->force, "give up what was changed here");
  command
      ->add_flag(
          "-c,--copy", options->copy,
          "make an environment of its own, named after its directory, that does not know where it came from")
      ->needs(reference);
  command->footer(
      "An environment that was changed since it was pulled is not overwritten: the pull is refused, with "
      "the\n"
      "differences.\n\n"
      "Examples:\n  flox pull acme/web\n  flox pull acme/web:3 --dir web-3\n  cd web && flox pull\n"
      "  flox pull --copy acme/web --dir shop");
  command->callback([options] { pull(*options); });
}

}  // namespace flox::cli
