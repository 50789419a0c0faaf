#include "cli/changed_environment.h"

#include "base/error.h"
#include "base/printable.h"
#include "cli/catalog_access.h"
#include "cli/catalog_options.h"
#include "cli/generation_files.h"
#include "cli/local_or_pod.h"
#include "cli/pushing.h"
#include "cli/say.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

catalog::EnvironmentName name_of(const std::string& reference, const std::string& doing) {
  const catalog::EnvironmentName name = catalog::parse_environment_name(reference);
  if (name.generation)
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("{}: '{}' is one generation, which stays as it is", doing, printable(reference, 100)),
        fmt::format("Leave the number out to change the environment: {}/{}.", name.owner, name.name));
  return name;
}

}  // namespace

struct ChangedEnvironment::Published {
  Published(const std::string& reference, const std::string& doing)
      : name(name_of(reference, doing)),
        client(url_of(CatalogOptions{}), config.token()),
        signing(config, name.owner, {}, {}, client),
        directory("flox-remote-") {
    const catalog::Pushed latest = verified_catalog(config.token())->environment(name).pushed;
    origin = origin_of(config.catalog_url, name, mark_of(latest), std::nullopt, std::nullopt);
    env::Environment::init(directory.path() / name.name, name.name,
                           {.manifest = latest.manifest, .lock = latest.lock, .origin = origin});
  }

  Config config = Config::load();
  catalog::EnvironmentName name;
  catalog::Client client;
  OwnerSigning signing;
  TempDir directory;
  std::optional<env::Origin> origin;
};

ChangedEnvironment::ChangedEnvironment(const EnvironmentChoice& choice, std::string doing)
    : doing_(std::move(doing)) {
  if (choice.reference.empty()) {
    environment_ = env::Environment::find(choice.directory);
    return;
  }
  if (in_pod())
    throw Error(ErrorKind::invalid_input, doing_ + ": an environment of the catalog is not changed in a pod",
                "Run it where the catalog can be asked.");
  in_context(fmt::format("changing {}", printable(choice.reference, 100)),
             [&] { published_ = std::make_unique<Published>(choice.reference, doing_); });
  environment_ = env::Environment::open(published_->directory.path() / published_->name.name);
}

ChangedEnvironment::ChangedEnvironment(env::Environment environment, std::string doing)
    : doing_(std::move(doing)), environment_(std::move(environment)) {}

ChangedEnvironment::~ChangedEnvironment() = default;

env::ChangeContext ChangedEnvironment::changing() const {
  if (!published_) return cli::changing(environment(), doing_);
  env::ChangeContext context = writing(environment(), doing_);
  context.manifest_name = "manifest.toml of " + published_->name.to_string();
  context.prepare = [name = environment().name()](const env::Lockfile& lock) { try_profile(name, lock); };
  return context;
}

std::string ChangedEnvironment::option() const {
  return published_ ? " -r " + published_->name.to_string() : std::string();
}

void ChangedEnvironment::finish() {
  if (!published_) return;
  const env::EnvironmentFiles files = env::read_environment_files(environment().directory());
  if (env::content_digest(files) == published_->origin->here.digest) return;
  require_no_directories(files.manifest);
  const env::Lockfile lock = env::Lockfile::parse(files.lock.value_or(""), "manifest.lock");
  const catalog::EnvironmentName& name = published_->name;
  const int64_t generation = catalog::push_environment(
      published_->signing.get(), published_->client, name, files.manifest, lock,
      follows({.origin = published_->origin,
               .name = name,
               .lock = lock,
               .advice = "Nothing was changed. Run the command again: it begins with that generation."}));
  say("✔ {} is at generation {}{}\n", name.to_string(), generation,
      published_->signing.get() == nullptr ? "" : fmt::format(", signed for {}", name.owner));
}

}  // namespace flox::cli
