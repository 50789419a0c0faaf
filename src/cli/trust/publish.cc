// flox trust publish: hands root.json and targets.json to the catalog.
#include <fmt/format.h>

#include <memory>

#include "catalog/client.h"
#include "catalog/hand_over.h"
#include "cli/catalog_options.h"
#include "cli/say.h"
#include "cli/trust/commands.h"

namespace flox::cli {
namespace {

struct TrustPublishOptions {
  std::string owner;
  CatalogOptions catalog;
};

void publish(const TrustPublishOptions& options) {
  trust::TrustStore store = open_trust(Config::load());
  const trust::OwnerRepository repository(store, options.owner, trust::OwnerRepository::Use::read);
  catalog::Client client = client_of(options.catalog);
  const catalog::HandedOver now = catalog::hand_over(client, repository);
  if (now.changed)
    say("✔ The catalog has root.json version {} and targets.json version {} of {}\n", now.root, now.targets,
        options.owner);
  else
    say("The catalog has the newest files of {}\n", options.owner);
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
