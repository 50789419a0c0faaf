// flox push: publishes an environment.
#include <memory>

#include "base/error.h"
#include "cli/catalog_access.h"
#include "cli/catalog_options.h"
#include "cli/commands.h"
#include "cli/generation_files.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/publishing.h"
#include "cli/pushing.h"
#include "cli/say.h"
#include "env/environment.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

struct PushOptions {
  std::string directory = ".", owner, prepare;
  CatalogOptions catalog;
  std::vector<std::string> metadata_keys, signed_files;
  bool force = false;
};

// Writes the environment's next generation as a file to be signed.
void prepare(const PushOptions& options, catalog::MetadataSigner& signer, catalog::Client& client,
             const catalog::EnvironmentName& name, const LockedContent& content,
             const catalog::MayFollow& may_follow) {
  const std::optional<catalog::Pushed> latest = client.latest_generation(name);
  may_follow(latest);
  const int64_t next = (latest ? latest->generation : 0) + 1;
  write_prepared(signer.prepare_generation(name.name, next, content.manifest, content.lock), name.owner,
                 options.prepare, "flox push");
}

// Where it goes: as it was called on the command line, else where it came from, else to the configured owner.
catalog::EnvironmentName name_of(const PushOptions& options, const env::Environment& environment,
                                 const std::optional<env::Origin>& origin, const Config& config) {
  const bool goes_back = options.owner.empty() && origin.has_value();
  const std::string owner = goes_back ? origin->owner : options.owner.empty() ? config.owner : options.owner;
  if (owner.empty())
    throw Error(ErrorKind::invalid_input, "publishing the environment: no owner given",
                "Pass --owner or set FLOX_OWNER.");
  catalog::EnvironmentName name{
      .owner = owner, .name = goes_back ? origin->name : environment.name(), .generation = {}};
  catalog::check_environment_name(name.owner, name.name);
  return name;
}

// What was published is published; a directory that cannot be written to does not change that.
void record_origin(const env::Environment& environment, const env::Origin& origin) {
  try {
    environment.set_origin(origin, writing(environment, "flox push"));
  } catch (const Error& error) {
    say("! it is not recorded here that this is generation {}, so the next push needs --force: {}\n",
        origin.here.number, error.what());
  }
}

void push(const PushOptions& options) {
  const Config config = Config::load();
  const env::Environment environment = env::Environment::find(options.directory);
  const std::optional<env::Origin> origin = environment.origin();
  const catalog::EnvironmentName name = name_of(options, environment, origin, config);
  const std::string url = url_of(options.catalog);
  const Secret token = token_of(options.catalog.token_file, url, config);
  const bool is_named = !options.catalog.url.empty() || !options.catalog.token_file.empty();
  // A catalog that was named on the command line is asked from here, also in a pod.
  const std::unique_ptr<env::Resolver> resolver =
      is_named ? verified_catalog_at(url, token) : make_resolver();
  const LockedContent content = locked_content(environment, *resolver);
  require_no_directories(content.manifest);
  catalog::Client client(url, token);
  const bool elsewhere = !options.prepare.empty() || !options.signed_files.empty();
  OwnerSigning signing(config, name.owner, options.metadata_keys, {}, client,
                       elsewhere ? OwnerSigning::Key::optional : OwnerSigning::Key::needed);
  const catalog::MayFollow may_follow =
      follows({.origin = origin, .name = name, .lock = content.lock, .advice = {}, .force = options.force});
  if (!options.prepare.empty()) return prepare(options, signing.require(), client, name, content, may_follow);
  const int64_t generation =
      elsewhere ? catalog::push_joined(signing.require(), client, name, content.manifest, content.lock,
                                       read_signed_files(options.signed_files), may_follow)
                : catalog::push_environment(signing.get(), client, name, content.manifest, content.lock,
                                            may_follow);
  record_origin(environment, origin_of(url, name,
                                       {.number = generation,
                                        .digest = env::content_digest(content.manifest, content.lock)},
                                       std::nullopt, origin));
  fmt::print("✔ {} is at generation {}{}. In a pod: flox.dev/environment: {}\n", name.to_string(), generation,
             signing.get() == nullptr ? "" : fmt::format(", signed for {}", name.owner), name.to_string());
}

}  // namespace

void add_push(CLI::App& app) {
  auto options = std::make_shared<PushOptions>();
  auto* command = app.add_subcommand("push", "Publish this environment as a new generation");
  add_directory(*command, options->directory);
  add_catalog_options(*command, options->catalog);
  add_owner_options(*command, options->owner, options->metadata_keys);
  add_prepare_options(*command, options->prepare, options->signed_files);
  command->add_flag("-f,--force", options->force,
                    "push also over a generation that this environment was not made from");
  command->footer(
      "Without --owner it goes where it came from. A generation that somebody else has pushed meanwhile is "
      "not\n"
      "overwritten: the push is refused, with the differences.\n\n"
      "Examples:\n  flox push --owner acme\n  flox push --force");
  command->callback([options] { push(*options); });
}

}  // namespace flox::cli
