// flox owner members: who may do what for an owner.
#include <fmt/format.h>

#include <memory>

#include "cli/auth/commands.h"
#include "cli/catalog_options.h"

namespace flox::cli {
namespace {

struct MembersOptions {
  CatalogOptions catalog;
  std::string name;
  bool json = false;
};

void list_members(const MembersOptions& options) {
  const auto owner = client_of(options.catalog)
                         .ask("GET", "/api/v1/owners/" + segment(options.name), nullptr, "listing members");
  if (options.json) return fmt::print("{}\n", owner.dump(2));
  for (const auto& member : items_in(owner, "members"))
    fmt::print("{:<8} {}\n", text_in(member, "role"), text_in(member, "user"));
}

}  // namespace

void add_owner_members(CLI::App& owner) {
  auto options = std::make_shared<MembersOptions>();
  auto* command = owner.add_subcommand("members", "List the members of an owner, and their roles");
  add_catalog_options(*command, options->catalog);
  command->add_option("OWNER", options->name, "its name")->required();
  command->add_flag("--json", options->json, "print JSON");
  command->footer("Example:\n  flox owner members acme");
  command->callback([options] { list_members(*options); });
}

}  // namespace flox::cli
