// flox owner list: the owners that the user is a member of.
#include <fmt/format.h>

#include <memory>

#include "cli/auth/commands.h"
#include "cli/catalog_options.h"

namespace flox::cli {
namespace {

struct OwnerListOptions {
  CatalogOptions catalog;
  bool json = false;
};

void list_owners(const OwnerListOptions& options) {
  const auto owners = client_of(options.catalog).ask_all("/api/v1/owners", "listing owners");
  if (options.json) return fmt::print("{}\n", owners.dump(2));
  for (const auto& owner : owners)
    fmt::print("{:<24} {:<8} {}\n", text_in(owner, "name"), text_in(owner, "role"),
               owner.value("private", false) ? "private" : "public");
}

}  // namespace

void add_owner_list(CLI::App& owner) {
  auto options = std::make_shared<OwnerListOptions>();
  auto* command = owner.add_subcommand("list", "List the owners that you are a member of");
  add_catalog_options(*command, options->catalog);
  command->add_flag("--json", options->json, "print JSON");
  command->footer("Example:\n  flox owner list");
  command->callback([options] { list_owners(*options); });
}

}  // namespace flox::cli
