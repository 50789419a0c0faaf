// flox store optimise: stores equal files once.
#include "store/maintenance/optimise.h"

#include <memory>

#include "base/settings/units.h"
#include "cli/store/commands.h"

namespace flox::cli {
namespace {

void optimise(bool as_json) {
  store::LocalStore store = open_store(Config::load());
  ProgressLine line;
  size_t paths = 0;
  const store::OptimiseResult result =
      store::optimise(store, [&] { line.show(count_text(++paths, "path")); });
  if (as_json)
    print_json({{"files", result.files},
                {"files_linked", result.files_linked},
                {"bytes_saved", result.bytes_saved},
                {"links_mended", result.links_mended}});
  else
    fmt::print("{} of {} files became links to equal ones, which saves {}\n", result.files_linked,
               result.files, size_text(result.bytes_saved));
}

}  // namespace

void add_store_optimise(CLI::App& store) {
  auto json = std::make_shared<bool>(false);
  auto* command =
      store.add_subcommand("optimise", "Store equal files once, as hard links (compatible with Nix)");
  add_json(*command, *json);
  command->footer("Example:\n  flox store optimise");
  command->callback([json] { optimise(*json); });
}

}  // namespace flox::cli
