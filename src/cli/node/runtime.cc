// flox node runtime: builds the runtime closure.
#include "cli/node/commands.h"
#include "node/floxd/config.h"
#include "node/installer/runtime_closure.h"
#include "package/build/steps.h"

namespace flox::cli {

void add_node_runtime(CLI::App& node) {
  auto* command = node.add_subcommand("runtime", "Build the runtime closure (sh, tools, flox) that pods get");
  command->footer("Example:\n  flox node runtime");
  command->callback([] {
    store::LocalStore store(Config::load().root);
    package::Steps steps(false);
    fmt::print("{}\n", node::build_runtime(store, steps).to_string());
  });
}

}  // namespace flox::cli
