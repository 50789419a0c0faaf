// flox push: publishes an environment.
#include <memory>

#include "base/error.h"
#include "cli/catalog_access.h"
#include "cli/catalog_options.h"
#include "cli/commands.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/publishing.h"
#include "env/environment.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

struct PushOptions {
  std::string directory = ".", owner, prepare;
  CatalogOptions catalog;
  std::vector<std::string> metadata_keys, signed_files;
};

// Writes the environment's next generation as a file to be signed.
void prepare(const PushOptions& options, catalog::MetadataSigner& signer, catalog::Client& client,
             const catalog::EnvironmentName& name, const std::string& manifest, const env::Lockfile& lock) {
  int64_t latest = 0;
  try {
    latest = client.environment({.owner = name.owner, .name = name.name, .generation = {}}).generation;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
  }
  write_prepared(signer.prepare_generation(name.name, latest + 1, manifest, lock), name.owner,
                 options.prepare, "flox push");
}

void push(const PushOptions& options) {
  const Config config = Config::load();
  const std::string owner = options.owner.empty() ? config.owner : options.owner;
  if (owner.empty())
    throw Error(ErrorKind::invalid_input, "publishing the environment: no owner given",
                "Pass --owner or set FLOX_OWNER.");
  env::Environment environment = env::Environment::find(options.directory);
  const catalog::EnvironmentName name{.owner = owner, .name = environment.name(), .generation = {}};
  catalog::check_environment_name(name.owner, name.name);
  const std::string url = url_of(options.catalog);
  const Secret token = token_of(options.catalog.token_file, url, config);
  const bool is_named = !options.catalog.url.empty() || !options.catalog.token_file.empty();
  // A catalog that was named on the command line is asked from here, also in a pod.
  const std::unique_ptr<env::Resolver> resolver =
      is_named ? verified_catalog_at(url, token) : make_resolver();
  const env::Lockfile lock = environment.lock(*resolver, {.doing = "flox push"});
  catalog::Client client(url, token);
  const bool elsewhere = !options.prepare.empty() || !options.signed_files.empty();
  OwnerSigning signing(config, owner, options.metadata_keys, {}, client,
                       elsewhere ? OwnerSigning::Key::optional : OwnerSigning::Key::needed);
  const std::string manifest = environment.manifest_text();
  if (!options.prepare.empty()) return prepare(options, signing.require(), client, name, manifest, lock);
  int64_t generation = 0;
  if (elsewhere)
    generation = catalog::push_joined(signing.require(), client, name, manifest, lock,
                                      read_signed_files(options.signed_files));
  else if (signing.get() == nullptr)
    generation = client.push(name, manifest, lock);
  else
    generation = catalog::push_signed(*signing.get(), client, name, manifest, lock);
  fmt::print("✔ {} is at generation {}{}. In a pod: flox.dev/environment: {}\n", name.to_string(), generation,
             signing.get() == nullptr ? "" : fmt::format(", signed for {}", owner), name.to_string());
}

}  // namespace

void add_push(CLI::App& app) {
  auto options = std::make_shared<PushOptions>();
  auto* command = app.add_subcommand("push", "Publish this environment as a new generation");
  add_directory(*command, options->directory);
  add_catalog_options(*command, options->catalog);
  add_owner_options(*command, options->owner, options->metadata_keys);
  add_prepare_options(*command, options->prepare, options->signed_files);
  command->footer("Example:\n  flox push --owner acme");
  command->callback([options] { push(*options); });
}

}  // namespace flox::cli
