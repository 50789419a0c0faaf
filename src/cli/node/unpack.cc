// flox node unpack: copies the bundle to the node.
#include <fcntl.h>
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "base/os/fd.h"
#include "cli/node/commands.h"
#include "cli/node/enter_node.h"
#include "node/installer/bundle.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

// To the node by default. Its files are not written through /proc/1/root: SQLite would take that link for
// what it says.
void unpack(const fs::path& to) {
  if (to.empty()) {
    Fd container(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    enter_node();
    node::copy_bundle(fmt::format("/proc/self/fd/{}", container.get()), "/");
  } else {
    node::copy_bundle("/", to);
  }
  fmt::print("✔ The bundle is at {}\n", (to.empty() ? fs::path("/opt/flox") : to / "opt/flox").string());
}

}  // namespace

void add_node_unpack(CLI::App& node) {
  auto to = std::make_shared<fs::path>();
  auto* command =
      node.add_subcommand("unpack", "Copy the bundle of this flox to the node, from a privileged container");
  command->add_option("--to", *to, "root directory to copy to (default: the node's)")
      ->check(CLI::ExistingDirectory);
  command->footer("Example:\n  flox node unpack && flox node on-host -- /opt/flox/bin/flox node install");
  command->callback([to] { unpack(*to); });
}

}  // namespace flox::cli
