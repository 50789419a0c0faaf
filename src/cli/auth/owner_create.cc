// flox owner create: makes an owner, with the operator's token.
#include <fmt/format.h>

#include <memory>

#include "cli/auth/commands.h"
#include "cli/catalog_options.h"
#include "cli/say.h"

namespace flox::cli {
namespace {

struct NewOwnerOptions {
  CatalogOptions catalog;
  std::string name;
  bool is_private = false;
};

void create_owner(const NewOwnerOptions& options) {
  const auto made = client_of(options.catalog)
                        .ask("POST", "/api/v1/owners",
                             {{"name", options.name}, {"private", options.is_private}}, "creating the owner");
  say("✔ Created owner {}. Add its first admin: flox owner add {} USER --role admin\n", text_in(made, "name"),
      text_in(made, "name"));
}

}  // namespace

void add_owner_create(CLI::App& owner) {
  auto options = std::make_shared<NewOwnerOptions>();
  auto* command = owner.add_subcommand("create", "Create an owner, with the operator's token");
  add_catalog_options(*command, options->catalog);
  command->add_option("OWNER", options->name, "its name")->required();
  command->add_flag("--private", options->is_private,
                    "let only its members see what it publishes (default: everyone)");
  command->footer("Example:\n  flox owner create acme --token-file /etc/flox/token");
  command->callback([options] { create_owner(*options); });
}

}  // namespace flox::cli
