// flox owner add: makes a user a member, or gives a member another role.
#include <fmt/format.h>

#include <memory>

#include "cli/auth/commands.h"
#include "cli/catalog_options.h"
#include "cli/say.h"

namespace flox::cli {
namespace {

struct NewMemberOptions {
  CatalogOptions catalog;
  std::string owner, user, role;
};

void add_member(const NewMemberOptions& options) {
  const auto member = client_of(options.catalog)
                          .ask("POST", fmt::format("/api/v1/owners/{}/members", segment(options.owner)),
                               {{"user", options.user}, {"role", options.role}}, "adding the member");
  say("✔ {} may {} for {}\n", text_in(member, "user"), text_in(member, "role"), options.owner);
}

}  // namespace

void add_owner_add(CLI::App& owner) {
  auto options = std::make_shared<NewMemberOptions>();
  auto* command =
      owner.add_subcommand("add", "Make a user a member of an owner, or change the member's role");
  add_catalog_options(*command, options->catalog);
  command->add_option("OWNER", options->owner, "name of the owner")->required();
  command->add_option("USER", options->user, "the user, as 'flox auth status' shows it to them")->required();
  command->add_option("--role", options->role, "what the user may do: read, publish or admin")
      ->required()
      ->check(CLI::IsMember({"read", "publish", "admin"}));
  command->footer("Example:\n  flox owner add acme ada@example.com --role publish");
  command->callback([options] { add_member(*options); });
}

}  // namespace flox::cli
