// flox search: finds packages in the catalog.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/printable.h"
#include "cli/catalog_access.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "env/environment.h"

namespace flox::cli {
namespace {

constexpr size_t results_shown = 10;  // as many as Flox shows, unless all are asked for

struct SearchOptions {
  std::string term;
  bool json = false;
  bool all = false;
};

void search(const SearchOptions& options) {
  auto builds = configured_catalog().search(options.term, env::current_system());
  if (options.json) return print_json(builds);
  if (builds.empty()) fail(ErrorKind::not_found, "no package matches '{}'", options.term);
  const size_t found = builds.size();
  if (!options.all && found > results_shown) builds.erase(builds.begin() + results_shown, builds.end());
  size_t width = 0;
  for (const auto& build : builds) width = std::max(width, build.name.size());
  for (const auto& build : builds)
    fmt::print("{:<{}}  {}{}\n", build.name, width, printable(build.description),
               build.yanked ? fmt::format(" (all versions yanked: {})", printable(*build.yanked)) : "");
  if (builds.size() < found)
    say("\nShowing {} of {} results. Run 'flox search {} --all' to see all.\n", builds.size(), found,
        options.term);
}

}  // namespace

void add_search(CLI::App& app) {
  auto options = std::make_shared<SearchOptions>();
  auto* command = app.add_subcommand("search", "Find packages in the catalog");
  command->add_option("TERM", options->term, "part of a name or description")->required();
  command->add_flag("--json", options->json, "print JSON, all results");
  command->add_flag("-a,--all", options->all, "print all results (default: the first 10)");
  command->footer("Example:\n  flox search python");
  command->callback([options] { search(*options); });
}

}  // namespace flox::cli
