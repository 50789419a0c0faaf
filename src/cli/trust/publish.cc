// flox trust publish: hands root.json and targets.json to the catalog.
#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "catalog/client.h"
#include "cli/catalog_options.h"
#include "cli/trust/commands.h"

namespace flox::cli {
namespace {

struct TrustPublishOptions {
  std::string owner;
  CatalogOptions catalog;
};

uint64_t version_of_root(const std::optional<std::string>& text) {
  return text ? trust::Signed<trust::Root>::parse(*text, "root.json of the catalog").content.version : 0;
}
// 0 also for one that the keys of our root have not signed: it counts no more, whatever its version is.
uint64_t version_of_targets(const std::optional<std::string>& text, const trust::Root& root) {
  if (!text) return 0;
  const auto file = trust::Signed<trust::Targets>::parse(*text, "targets.json of the catalog");
  return trust::signing_state(file, root).complete() ? file.content.version : 0;
}

void publish(const TrustPublishOptions& options) {
  trust::TrustStore store = open_trust(Config::load());
  const trust::OwnerRepository repository(store, options.owner, trust::OwnerRepository::Use::read);
  catalog::Client client = client_of(options.catalog);
  const uint64_t root = version_of_root(client.root(options.owner));
  const trust::Signed<trust::Root>& newest = repository.root();
  const uint64_t targets = version_of_targets(client.targets(options.owner), newest.content);
  if (root > newest.content.version || targets > repository.targets().content.version)
    throw Error(ErrorKind::conflict,
                fmt::format("the catalog has newer files of {} than this machine", options.owner),
                "Publish from the machine where they were changed, or copy its directory of the owner here.");
  for (const auto& next : repository.roots())
    if (next.content.version > root) client.put_root(options.owner, next.to_string());
  if (repository.targets().content.version > targets)
    client.put_targets(options.owner, repository.targets().to_string());
  if (root == newest.content.version && targets == repository.targets().content.version)
    fmt::print(stderr, "The catalog has the newest files of {}\n", options.owner);
  else
    fmt::print(stderr, "✔ The catalog has root.json version {} and targets.json version {} of {}\n",
               newest.content.version, repository.targets().content.version, options.owner);
}

}  // namespace

void add_trust_publish(CLI::App& trust) {
  auto options = std::make_shared<TrustPublishOptions>();
  auto* command = trust.add_subcommand("publish", "Hand the owner's root and targets to the catalog");
  add_owner(*command, options->owner);
  add_catalog_options(*command, options->catalog);
  command->footer("Example:\n  flox trust publish acme");
  command->callback([options] { publish(*options); });
}

}  // namespace flox::cli
