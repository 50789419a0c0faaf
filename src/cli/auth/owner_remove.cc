// flox owner remove: ends a membership.
#include <fmt/format.h>

#include <memory>

#include "cli/auth/commands.h"
#include "cli/catalog_options.h"

namespace flox::cli {
namespace {

struct RemoveOptions {
  CatalogOptions catalog;
  std::string owner, user;
};

void remove_member(const RemoveOptions& options) {
  client_of(options.catalog)
      .ask("DELETE",
           fmt::format("/api/v1/owners/{}/members/{}", segment(options.owner), segment(options.user)),
           nullptr, "removing the member");
  fmt::print(
      stderr,
      "✔ {} is not a member of {} any more. Tokens of the owner stay: flox auth token list --owner {}\n",
      options.user, options.owner, options.owner);
}

}  // namespace

void add_owner_remove(CLI::App& owner) {
  auto options = std::make_shared<RemoveOptions>();
  auto* command = owner.add_subcommand("remove", "Remove a member of an owner");
  add_catalog_options(*command, options->catalog);
  command->add_option("OWNER", options->owner, "name of the owner")->required();
  command->add_option("USER", options->user, "the member")->required();
  command->footer("Example:\n  flox owner remove acme ada@example.com");
  command->callback([options] { remove_member(*options); });
}

}  // namespace flox::cli
