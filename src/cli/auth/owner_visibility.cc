// flox owner visibility: who may see a package or an environment.
#include <fmt/format.h>

#include <memory>

#include "base/command_line/program.h"
#include "cli/auth/commands.h"
#include "cli/catalog_options.h"
#include "cli/say.h"

namespace flox::cli {
namespace {

struct VisibilityOptions {
  CatalogOptions catalog;
  std::string owner, package, environment, visibility;
};

void set_visibility(const VisibilityOptions& options) {
  if (options.package.empty() == options.environment.empty())
    fail_usage("flox owner visibility: name one package or one environment",
               "Pass --package NAME or --environment NAME.");
  const bool is_package = !options.package.empty();
  const std::string& name = is_package ? options.package : options.environment;
  client_of(options.catalog)
      .ask("POST",
           fmt::format("/api/v1/owners/{}/{}/{}", segment(options.owner),
                       is_package ? "packages" : "environments", segment(name)),
           {{"private", options.visibility == "private"}}, "changing who may see it");
  say("✔ {} {} of {} is {}\n", is_package ? "Package" : "Environment", name, options.owner,
      options.visibility);
}

}  // namespace

void add_owner_visibility(CLI::App& owner) {
  auto options = std::make_shared<VisibilityOptions>();
  auto* command = owner.add_subcommand("visibility", "Make a package or an environment public or private");
  add_catalog_options(*command, options->catalog);
  command->add_option("OWNER", options->owner, "name of the owner")->required();
  command->add_option("VISIBILITY", options->visibility, "public or private")
      ->required()
      ->check(CLI::IsMember({"public", "private"}));
  command->add_option("--package", options->package, "the package");
  command->add_option("--environment", options->environment, "the environment's name, without the owner");
  command->footer("Example:\n  flox owner visibility acme private --environment web");
  command->callback([options] { set_visibility(*options); });
}

}  // namespace flox::cli
