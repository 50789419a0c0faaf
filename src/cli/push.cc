// flox push: publishes an environment.
#include <memory>

#include "base/error.h"
#include "base/printable.h"
#include "cli/catalog_access.h"
#include "cli/catalog_options.h"
#include "cli/commands.h"
#include "cli/generation_files.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/publishing.h"
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

// A manifest and the lock that was made for it.
struct LockedContent {
  std::string manifest;
  env::Lockfile lock;
};

// Others do not have the directories that are here.
void require_no_directories(const std::string& manifest) {
  for (const env::IncludeDescriptor& included :
       env::includes_of(env::Manifest::parse(manifest, "manifest.toml")))
    if (!included.dir.empty())
      throw Error(ErrorKind::invalid_input,
                  fmt::format("{}: it includes the directory {}, which others do not have", included.place,
                              printable(included.dir, 200)),
                  "Push that environment, too, and include it by remote = \"OWNER/NAME\".");
}

// As they are at one moment: somebody may change the environment while it is pushed.
LockedContent locked_content(const env::Environment& environment, env::Resolver& resolver) {
  constexpr int most_attempts = 5;
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    environment.lock(resolver, writing(environment, "flox push"));  // what is published need not be here
    const env::EnvironmentFiles files = env::read_environment_files(environment.directory());
    if (!files.lock) continue;
    env::Lockfile lock = env::Lockfile::parse(*files.lock);
    if (env::locks(lock, env::Manifest::parse(files.manifest, "manifest.toml")))
      return {files.manifest, std::move(lock)};
  }
  fail(ErrorKind::unavailable, "pushing the environment in {}: its files change all the time",
       environment.directory().string());
}

// Whether what is here was made from the latest generation: otherwise somebody's work would be lost.
catalog::MayFollow follows(const std::optional<env::Origin>& origin, const catalog::EnvironmentName& name,
                           const env::Lockfile& lock, bool force) {
  return [&origin, name, &lock, force](const std::optional<catalog::Pushed>& latest) {
    const bool comes_from_there = origin && origin->reference() == name.to_string();
    if (!latest || (comes_from_there && origin->latest == mark_of(*latest))) return;
    const std::string differences = difference_text(latest->lock, lock);
    if (force) {
      say("! generation {} of {} is followed by what is here, which was not made from it:{}\n",
          latest->generation, name.to_string(), differences);
      return;
    }
    throw Error(
        ErrorKind::conflict,
        fmt::format("pushing {}: the catalog has generation {}, and what is here was {}. From generation {} "
                    "to what is here:{}",
                    name.to_string(), latest->generation,
                    comes_from_there ? fmt::format("made from generation {}", origin->latest.number)
                                     : "not made from it",
                    latest->generation, differences),
        comes_from_there
            ? "Take that generation with 'flox pull --force' and make your changes again, or push over it "
              "with "
              "'flox push --force'."
            : fmt::format("Take that generation with 'flox pull {}' in another place, or push over it with "
                          "'flox push --force'.",
                          name.to_string()));
  };
}

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
  const catalog::MayFollow may_follow = follows(origin, name, content.lock, options.force);
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
